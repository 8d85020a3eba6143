"""Read the Lua scripts that run in Redis, from the folder `lua` beside this module."""

from __future__ import annotations

from pathlib import Path


def script(name: str) -> str:
    """Return the text of `lua/{name}.lua`."""
    return (Path(__file__).parent / "lua" / f"{name}.lua").read_text()
