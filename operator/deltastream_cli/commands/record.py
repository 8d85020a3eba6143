"""Record the messages of a feed while they pass, until Ctrl-C or a number of messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from deltastream_cli.adapters import message_spool, recording_file
from deltastream_cli.adapters.gateway import Answer, Gateway
from deltastream_cli.adapters.message_spool import MessageSpool
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.commands.recordings import continued, finished, missing
from deltastream_cli.domain.following import Place
from deltastream_cli.domain.reports import Report
from deltastream_cli.errors import RateLimited, Unavailable

_POLL_S = 0.5  # the enrichers keep processed entries for five seconds while somebody reads
_UNREADABLE = None  # the gateway counts a body that is not JSON, and leaves it out
_PATH = "/api/feeds/{}/messages"


def record(
    gateway: Gateway,
    screen: Screen,
    feed: str,
    file: Path,
    *,
    count: int | None,
    sleep: Callable[[float], None],
) -> Report:
    """Write the feed's messages to the recording `file` and return the counts. Raises a CommandError.

    Ctrl-C ends the recording. After a kill the same command continues it; what passed meanwhile is missing.
    """
    recording_file.check()
    with message_spool.opened(file) as spool:
        request = continued(spool, {"url": gateway.url, "feed": feed}, screen, file)
        reader = _Reader(gateway, screen, feed, sleep)
        screen.note(f"records {feed} until {f'{count:,} messages' if count else 'Ctrl-C'}")
        try:
            _follow(reader, spool, request, screen, count, sleep)
        except KeyboardInterrupt:
            screen.note("ends the recording")
        try:
            report = finished(spool, file, screen, source="stream", order="stream")
        except KeyboardInterrupt:
            screen.note(f"interrupted: the same command continues, and writes {file} at the next Ctrl-C")
            raise
    message_spool.discard(file)
    return report


class _Reader:
    """Reads the messages behind a place, and waits while the gateway cannot answer."""

    def __init__(self, gateway: Gateway, screen: Screen, feed: str, sleep: Callable[[float], None]) -> None:
        self._gateway, self._screen, self._feed, self._sleep = gateway, screen, feed, sleep

    def after(self, place: str | None, *, patient: bool) -> Answer:
        """Return the answer. Raises a CommandError; Unavailable only if it is not `patient`."""
        silent = False
        while True:
            try:
                return self._gateway.get(_PATH, self._feed, after=place)
            except Unavailable as error:
                if not patient:
                    raise
                if not silent:
                    self._screen.note(f"tries again until Ctrl-C: {error}")
                silent = True
                self._sleep(error.wait_s if isinstance(error, RateLimited) else 1.0)


def _follow(
    reader: _Reader,
    spool: MessageSpool,
    request: Mapping[str, Any],
    screen: Screen,
    count: int | None,
    sleep: Callable[[float], None],
) -> None:
    kept = len(spool)
    place = Place(**spool.position) if spool.position else Place.end(reader.after(None, patient=False))
    with _bar(screen) as bar:
        task = bar.add_task("records", total=None, counts="waits for messages")
        while count is None or kept < count:
            answer = reader.after(place.after, patient=True)
            place = place.behind(answer)
            page = [*answer["messages"], *[_UNREADABLE] * answer["unreadable"]]
            kept += spool.append(page, request, place.as_json())
            bar.update(task, counts=f"{kept:,} messages, {missing(spool):,} missing")
            if not answer["more"]:
                sleep(_POLL_S)


def _bar(screen: Screen) -> Progress:
    columns = (TextColumn("{task.description}"), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    return Progress(*columns, console=screen.err, disable=not screen.err.is_terminal)
