"""Read one or more files of a session as one stream of rows, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import BinaryIO, Literal

from feed_generator.errors import BadRecording
from feed_generator.sources.formats import asking, cboe, dbn, deltastream, deribit, nse, text, yahoo
from feed_generator.sources.formats.detect import Format, of_text
from feed_generator.sources.formats.problems import NotReadable, NotStated, Problems
from feed_generator.sources.formats.row import Row, Told

Reader = Callable[[str, Iterable[str], Told, Problems], Iterator[Row]]
_READERS: dict[Format, Reader] = {
    "deltastream": deltastream.read,
    "nse": nse.read,
    "cboe": cboe.read,
    "yahoo": yahoo.read,
    "deribit": deribit.read,
}
GROUP_NS: dict[Format, int] = {"deribit": deribit.GROUP_NS}
"""How long a snapshot lasts by format, in ns; 0 for the others, whose rows of one snapshot have one time."""
_ROWS_A_REPORT = 5_000
_PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")


class Session:
    """Files that are read as one recording. `format` is theirs, as given or found out.

    Raises BadRecording if a file cannot be read, has no known format, or has another one than the first.
    """

    def __init__(self, paths: Sequence[str], wanted: Format | Literal["auto"], told: Told) -> None:
        self._told = told
        formats = {path: _format(path) if wanted == "auto" else wanted for path in paths}
        self.format: Format = formats[paths[0]]
        for path, found in formats.items():
            if found != self.format:
                raise BadRecording(path, 1, "-", f"has the format {found}, but {paths[0]} has {self.format}")
        alone = len(paths) == 1 or self.format == "dbn"  # files of dbn are read side by side
        self.paths = list(paths) if alone else sorted(paths, key=self._first_time)

    def _first_time(self, path: str) -> tuple[int, str]:
        rows = self._of_file(path, self._told)
        first = next(rows, None)
        rows.close()
        return (first.ts if first else 0), path

    def rows(self, problems: Problems, progress: Callable[[int], None] | None = None) -> Iterator[Row]:
        """Yield the rows of all files, the earliest file first.

        `progress` is called now and then with the bytes that were read since its last call. Raises
        BadRecording or UnknownProduct.
        """
        fitting = set[str]()
        if self.format == "dbn":
            streams = [dbn.read(self.paths, self._told, problems, progress)]
        else:
            streams = [self._of_file(path, self._told, problems, progress) for path in self.paths]
        for rows in streams:
            for row in rows:
                if row.product in fitting or self._fits(row, problems):
                    fitting.add(row.product)
                    yield row

    def _fits(self, row: Row, problems: Problems) -> bool:
        """Return whether a feed can have the product and, if it lists products, has it."""
        product, listed = row.product, self._told.products
        if not _PRODUCT.fullmatch(product):
            rule = "is no name of a product: it must be 1 to 20 of A-Z, 0-9, & and -"
            problems.refuse(row.place, "product", rule, shown=product)
        elif listed and product not in listed:
            text = f"is {product!r}, but the feed lists {', '.join(listed)}: add it (PRODUCTS)"
            problems.refuse(row.place, "product", f"is no product of the feed: {product}", text=text)
        else:
            return True
        return False

    def _of_file(
        self,
        path: str,
        told: Told,
        problems: Problems | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Generator[Row]:
        try:
            with text.opened(path) as file:
                rows = self._decoded(path, file, told, Problems() if problems is None else problems)
                done = 0
                for number, row in enumerate(rows, start=1):
                    yield row
                    if progress and number % _ROWS_A_REPORT == 0:
                        progress(file.tell() - done)
                        done = file.tell()
                if progress:
                    progress(file.seek(0, 2) - done)
        except NotReadable as error:
            raise BadRecording(path, error.line, error.column, error.rule) from None
        except NotStated as error:
            raise asking.unstated(
                path, error.names, self._told, lambda told: self._of_file(path, told)
            ) from None

    def _decoded(self, path: str, file: BinaryIO, told: Told, problems: Problems) -> Iterator[Row]:
        text.check(text.peeked(file))
        return _READERS[self.format](path, text.lines_of(file), told, problems)


def _format(path: str) -> Format:
    with text.opened(path) as file:
        head = text.peeked(file)
    if text.is_dbn(head):
        return "dbn"
    try:
        text.check(head)
        return of_text(head.decode("utf-8-sig", errors="replace"))
    except NotReadable as error:
        raise BadRecording(path, error.line, error.column, error.rule) from None
