"""Convert a recording to the file of messages that a feed replays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deltastream_cli.adapters import message_file, recording_file
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.commands.recordings import bar, counts
from deltastream_cli.domain.recording import Contents, message
from deltastream_cli.domain.reports import Report


def convert(screen: Screen, recording: Path, target: Path) -> Report:
    """Write the messages of `recording` to `target` and return the counts. Raises a CommandError."""
    recording_file.check()
    reader = recording_file.Reader(recording)
    contents = Contents.from_json(reader.metadata)
    with bar(screen) as progress:
        task = progress.add_task(f"writes {target}", total=len(reader))

        def messages() -> Iterator[dict[str, Any]]:
            for row in reader.rows():
                yield message(row)
                progress.advance(task)

        message_file.write(target, messages(), contents)
    reader.close()
    return counts(contents, {}, target, {})
