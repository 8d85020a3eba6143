"""Read one or more files of a session as one stream of rows, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO, Literal

from feed_generator.errors import BadRecording
from feed_generator.sources.formats import cboe, dbn, deltastream, deribit, nse, text, yahoo
from feed_generator.sources.formats.detect import Format, of_text
from feed_generator.sources.formats.problems import WHAT_TO_STATE, NotReadable, NotStated, Problems
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
        rows = self._of_file(path, Problems(), None)
        first = next(rows, None)
        rows.close()
        return (first.ts if first else 0), path

    def rows(self, problems: Problems, progress: Callable[[int], None] | None = None) -> Iterator[Row]:
        """Yield the rows of all files, the earliest file first.

        `progress` is called now and then with the bytes that were read since its last call. Raises
        BadRecording or UnknownProduct.
        """
        known = self._told.products
        if self.format == "dbn":
            streams = [dbn.read(self.paths, self._told, problems, progress)]
        else:
            streams = [self._of_file(path, problems, progress) for path in self.paths]
        for rows in streams:
            for row in rows:
                if known and row.product not in known:
                    text = f"is {row.product!r:.40}, but the feed lists {', '.join(known)}: add it (PRODUCTS)"
                    problems.refuse(
                        row.place, "product", f"is no product of the feed: {row.product:.40}", text=text
                    )
                else:
                    yield row

    def _of_file(
        self, path: str, problems: Problems, progress: Callable[[int], None] | None
    ) -> Generator[Row]:
        try:
            with text.opened(path) as file:
                rows = self._decoded(path, file, problems)
                done = 0
                while block := list(islice(rows, _ROWS_A_REPORT)):
                    yield from block
                    if progress:
                        progress(file.tell() - done)
                        done = file.tell()
                if progress:
                    progress(file.seek(0, 2) - done)
        except NotReadable as error:
            raise BadRecording(path, error.line, error.column, error.rule) from None
        except NotStated as error:
            asked = [f"{what} ({name})" for what, name in (WHAT_TO_STATE[each] for each in error.names)]
            raise BadRecording(
                path, 1, "-", f"does not state {' and '.join(asked)}; set it beside the file"
            ) from None

    def _decoded(self, path: str, file: BinaryIO, problems: Problems) -> Iterator[Row]:
        text.check(text.peeked(file))
        return _READERS[self.format](path, text.lines_of(file), self._told, problems)


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
