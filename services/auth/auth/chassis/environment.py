"""Settings from the environment; a secret `X` may come as a file that `X_FILE` names. What is wrong ends the
start with exit code 2 and a line a variable: name, value (never a secret's), rule."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

S = TypeVar("S", bound=BaseSettings)


def refuse(lines: str) -> SystemExit:
    """Say why the service does not start; the exit to raise."""
    print(lines, file=sys.stderr)
    return SystemExit(2)


def load(model: type[S], secrets: Collection[str]) -> S:
    """The settings; `secrets` are the names of variables that may be files and are never shown."""
    given: dict[str, str] = {}
    for name in secrets:
        if path := os.environ.get(f"{name}_FILE"):
            try:
                given[name.lower()] = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise refuse(f"{name}_FILE={path!r}: cannot be read ({type(error).__name__})") from None
    try:
        return model(**given)  # type: ignore[arg-type]  # values are parsed like the environment's
    except ValidationError as error:
        raise refuse("\n".join(_line(one, secrets) for one in error.errors())) from None


def _line(error: Mapping[str, Any], secrets: Collection[str]) -> str:
    name = str(error["loc"][0]).upper()
    if error["type"] == "missing":
        return f"{name}: must be set (or {name}_FILE)" if name in secrets else f"{name}: must be set"
    value = "(secret)" if name in secrets else repr(error.get("input"))
    return f"{name}={value}: {str(error['msg']).removeprefix('Value error, ')}"
