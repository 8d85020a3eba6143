"""Convert a recording to the file of messages that a feed replays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from deltastream_cli.adapters import message_file, recording_file
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.commands.recordings import bar, counts
from deltastream_cli.domain.reports import Report
from deltastream_cli.errors import UsageError


def convert(screen: Screen, recording: Path, target: Path) -> Report:
    """Write the messages of `recording` to `target` and return the counts. Raises a CommandError."""
    recording_file.check()
    with closing(recording_file.Reader(recording)) as reader, bar(screen) as progress:
        contents = reader.contents()
        if not contents.total:
            raise UsageError(f"{recording}: has no messages, so there is nothing to replay")
        task = progress.add_task(f"writes {target}", total=contents.total)

        def messages() -> Iterator[dict[str, Any]]:
            for message in reader.messages():
                yield message
                progress.advance(task)

        message_file.write(target, messages(), contents)
    report = counts(contents, {}, target, {})
    if reader.metadata.get("messages") != contents.messages:
        note = "the metadata count other messages: somebody has changed the recording"
        report = replace(report, notes=[note])
    return report
