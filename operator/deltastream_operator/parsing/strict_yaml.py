"""Parse YAML as kubectl does, without its dangerous features. Returns JSON-like values.

The module reads PyYAML's events and does not use its constructors, which a tag in the text can select. Tags,
merge keys and aliases are refused, and dates stay text. Every error names its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import yaml

MAX_BYTES = 1_000_000  # the limit of a resource in a cluster
MAX_DEPTH, MAX_VALUES = 32, 20_000
_MAX_DIGITS = 400  # more than any field allows, and few enough to convert and print

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"(yes|Yes|YES|true|True|TRUE|on|On|ON)|no|No|NO|false|False|FALSE|off|Off|OFF")
_INT = re.compile(r"[-+]?(0b[01]+|0x[0-9a-fA-F]+|0o?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class YamlError(Exception):
    """The text is not YAML or uses a feature that this parser refuses."""


def documents(text: str) -> list[object]:
    """Return the documents of the text that are not empty. Raises YamlError."""
    if len(text) > MAX_BYTES:
        raise YamlError(f"is larger than {MAX_BYTES:,} characters")
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:  # PyYAML checks all characters at the start
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"line {line}: not YAML: contains the character U+{error.character:04X}") from None
    try:
        return [body for body in _documents(loader) if body is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line if mark else loader.line) + 1
        raise YamlError(f"line {line}: not YAML: {str(error.problem)[:200]}") from None
    except (ValueError, OverflowError):  # "\UFFFFFFFF" is not a character
        line = loader.line + 1
        raise YamlError(f"line {line}: not YAML: contains an escape that is not a character") from None
    finally:
        loader.dispose()


def read(file: Path) -> object:
    """Return the only document of a file. Raises YamlError; its text lacks the file's name."""
    found = documents(text_of(file))
    if len(found) != 1:
        raise YamlError(f"must be one document, not {len(found)}")
    return found[0]


def text_of(file: Path) -> str:
    """Return a file's text. Reads at most 4 MB. Raises YamlError; its text lacks the file's name."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(4 * MAX_BYTES + 1)
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise YamlError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        if len(raw) > 4 * MAX_BYTES:
            raise YamlError(f"is larger than {MAX_BYTES:,} characters") from None
        raise YamlError("is not UTF-8 text") from None


class _Open:
    """A mapping or list whose end has not been parsed."""

    def __init__(self, *, mapping: bool) -> None:
        self.mapping: dict[str, object] | None = {} if mapping else None
        self.list: list[object] = []
        self.key: str | None = None

    def value(self) -> object:
        return self.list if self.mapping is None else self.mapping

    def add(self, value: object, line: int) -> None:
        """Add the next list entry, key or value."""
        if self.mapping is None:
            self.list.append(value)
        elif self.key is not None:
            self.mapping[self.key] = value
            self.key = None
        elif not isinstance(value, str):
            raise YamlError(f"line {line}: a key must be text, not {_kind(value)}")
        elif value == "<<":
            raise YamlError(f"line {line}: merge keys (<<) are not allowed; write out the fields")
        elif value in self.mapping:
            raise YamlError(f"line {line}: {shown(value)} occurs twice; remove one")
        else:
            self.key = value


def _documents(loader: yaml.SafeLoader) -> list[object]:
    found: list[object] = []
    stack: list[_Open] = []
    values = 0
    while loader.check_event():
        event = loader.get_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(f"line {line}: aliases (*name) are not allowed; write out the value")
        if isinstance(event, yaml.NodeEvent):
            values += 1
            if values > MAX_VALUES:
                raise YamlError(f"line {line}: contains more than {MAX_VALUES:,} values")
            if (tag := getattr(event, "tag", None)) is not None:
                error = f"tags ({_tag(tag)}) are not allowed; write the value without a tag"
                raise YamlError(f"line {line}: {error}")
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) == MAX_DEPTH:
                raise YamlError(f"line {line}: is nested too deeply, more than {MAX_DEPTH} levels")
            stack.append(_Open(mapping=isinstance(event, yaml.MappingStartEvent)))
            continue
        value: object
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            value = stack.pop().value()
        else:
            continue
        if stack:
            stack[-1].add(value, line)
        else:
            found.append(value)
    return found


def _scalar(event: yaml.ScalarEvent, line: int) -> object:
    text: str = event.value
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise YamlError(f"line {line}: contains half of a surrogate pair, which is not a character")
    if not event.implicit[0]:  # a quoted scalar
        return text
    for pattern, make in _PLAIN:
        if found := pattern.fullmatch(text):
            if len(text) > _MAX_DIGITS:
                raise YamlError(f"line {line}: a number of more than {_MAX_DIGITS} digits")
            value = make(found)
            if isinstance(value, float) and not math.isfinite(value):
                raise YamlError(f"line {line}: {shown(text)} is not a finite number; quote it if it is text")
            return value
    return text


def _integer(found: re.Match[str]) -> object:
    text = found[0]
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-")
    base = {"0b": 2, "0x": 16, "0o": 8}.get(digits[:2], 8 if digits[0] == "0" else 10)
    return sign * int(digits, base)


# A date stays text, as in JSON. So does text that only YAML 1.1 reads as a number (1:30 is 90 there).
_PLAIN: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], object]], ...] = (
    (_NULL, lambda _: None),
    (_BOOL, lambda found: found[1] is not None),
    (_INT, _integer),
    (_FLOAT, lambda found: float(found[0])),
    (_NOT_FINITE, lambda _: math.inf),
)


def shown(text: str) -> str:
    """Return text of the file, shortened and escaped for one line of a terminal."""
    cut = text if len(text) <= 60 else text[:57] + "..."
    return cut if cut.isprintable() else repr(cut)


def _tag(tag: str) -> str:
    return shown(tag.replace("tag:yaml.org,2002:", "!!"))


def _kind(value: object) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
