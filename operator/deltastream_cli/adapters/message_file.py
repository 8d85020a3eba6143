"""Writes the file of messages that a feed replays: compressed JSON lines, which need no library to read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deltastream_cli.domain.recording import Contents
from deltastream_cli.errors import CommandError, UsageError

FORMAT, VERSION = "deltastream-messages", 1
_LEVEL = 6


def write(path: Path, messages: Iterable[Mapping[str, Any]], contents: Contents) -> None:
    """Write the messages to `path`, which appears only when it is complete. The first line has `contents`.

    Raises UsageError if the file exists, and CommandError if it cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} exists already: remove it, or name another file")
    new = path.with_name(path.name + ".new")
    try:
        with gzip.open(new, "wt", _LEVEL, encoding="utf-8") as file:
            file.write(_line({"format": FORMAT, "version": VERSION, **contents.as_json()}))
            for message in messages:
                file.write(_line({name: value for name, value in message.items() if name not in _OF_FEED}))
        new.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        new.unlink(missing_ok=True)


_OF_FEED = frozenset({"feed", "mid"})  # those of the feed that replays it


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"
