"""Load a service's settings from environment variables into a pydantic model.

A field is the variable's name in lower case. A secret `X` may also be in a file that `X_FILE` names. Invalid
settings stop the process with exit code 2. It prints one line for each variable: name, value (except of
secrets) and rule.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]


def load(model: type[M], secrets: Collection[str], environ: Mapping[str, str] = os.environ) -> M:
    """Return the settings. Raises SystemExit if any is invalid, after it has printed every problem.

    `secrets` names the variables that may come from files and whose values are never printed. Put a rule
    about several fields into a validator of one of them: pydantic runs the model's validators only when all
    fields are valid, so their problems would appear one start later.
    """
    values = {name.lower(): value for name, value in environ.items()}
    found = {field: _read(field, values, field.upper() in secrets) for field in model.model_fields}
    lines = [f"{each.label}: {each.problem}" for each in found.values() if each.problem]
    try:
        settings = model(**{field: each.value for field, each in found.items() if each.value is not None})
    except ValidationError as error:
        for one in error.errors():
            label, _, problem = found[str(one["loc"][0])]
            rule = one["msg"].removeprefix("Value error, ")
            if one["type"] == "missing":
                rule = f"must be set (or {label}_FILE)" if label in secrets else "must be set"
            where = "".join(f"{part}: " for part in one["loc"][1:])  # inside a list or an object
            if not problem:
                lines.append(f"{label}: {where}{rule}")
    else:
        if not lines:
            return settings
    print("\n".join(lines), file=sys.stderr)
    raise SystemExit(2)


class _Variable(NamedTuple):
    """A variable's label in messages, its value if it has one, and why its file could not be read."""

    label: str
    value: str | None = None
    problem: str = ""


def _read(field: str, values: Mapping[str, str], secret: bool) -> _Variable:
    name, value = field.upper(), values.get(field)
    if secret and (path := values.get(f"{field}_file")):
        try:
            value = Path(path).read_text().strip()
        except OSError as error:
            return _Variable(f"{name}_FILE", problem=f"must name a file that can be read ({error.strerror})")
        except UnicodeDecodeError:
            return _Variable(f"{name}_FILE", problem="must name a file in UTF-8")
        return _Variable(f"{name}_FILE={'(secret)' if value else '(empty file)'}", value)
    if value is None:
        return _Variable(name)
    return _Variable(f"{name}=(secret)" if secret else f"{name}={value!r}", value)
