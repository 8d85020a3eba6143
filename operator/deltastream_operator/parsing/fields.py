"""Read a mapping field by field and collect all problems instead of raising the first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from deltastream_operator.parsing.strict_yaml import shown


class Problems:
    """The problems of one document. Each line starts with the place `where`, unless that is empty."""

    def __init__(self, where: str) -> None:
        self._lead = f"{where}: " if where else ""
        self.lines: list[str] = []

    def note(self, path: str, text: str) -> None:
        """Add a problem of the field at `path`."""
        self.lines.append(f"{self._lead}{path}: {text}" if path else f"{self._lead}{text}")


class Fields:
    """The fields of a mapping. Take every known field, then call `close()`: the rest is unknown."""

    def __init__(self, value: object, path: str, problems: Problems, *, present: bool = True) -> None:
        self._path, self._problems, self.present = path, problems, present
        self._known: list[str] = []
        self._left: dict[object, object] = {}
        if isinstance(value, Mapping):
            self._left = dict(value)
        elif present:
            self.problem("", f"must be a mapping, not {_shown(value)}")

    def _at(self, name: str) -> str:
        return ".".join(part for part in (self._path, name) if part)

    def problem(self, name: str, text: str) -> None:
        """Add a problem of field `name`, or of the mapping itself if `name` is empty."""
        self._problems.note(self._at(name), text)

    def has(self, name: str) -> bool:
        """Return whether the field is present and not yet taken."""
        return self._left.get(name) is not None

    def take(self, name: str) -> object:
        """Take the field's raw value. Returns None if it is absent or null."""
        self._known.append(name)
        return self._left.pop(name, None)

    def mapping(self, name: str, *, required: bool = False) -> Fields:
        """Take the mapping in field `name`. Returns an empty one if it is absent."""
        value = self.take(name)
        if value is None and required and self.present:
            self.problem(name, "is required")
        return Fields(value, self._at(name), self._problems, present=value is not None)

    def _missing(self, name: str, value: object, required: bool) -> bool:
        if value is None and required and self.present:
            self.problem(name, "is required")
        return value is None

    def texts(self, name: str) -> dict[str, str]:
        """Take the mapping of text to text in field `name`. Returns an empty one if it is absent."""
        value = self.take(name)
        if value is not None and not isinstance(value, Mapping):
            self.problem(name, f"must be a mapping, not {_shown(value)}")
        given = dict(value) if isinstance(value, Mapping) else {}
        for key, entry in given.items():
            if not isinstance(entry, str):
                quote = "; put it in quotes" if isinstance(entry, (bool, int, float)) else ""
                self.problem(f"{name}.{shown(key)}", f"must be text, not {_shown(entry)}{quote}")
        return {key: entry for key, entry in given.items() if isinstance(entry, str)}

    def constant(self, name: str, wanted: str) -> None:
        """Take a field that must equal `wanted`."""
        value = self.take(name)
        if value != wanted:
            self.problem(
                name,
                f"must be {wanted}, not {_shown(value)}" if value is not None else f"is required: {wanted}",
            )

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """Take a field that must be one of `allowed`. Returns `default` if it is absent or wrong."""
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in allowed:
            self.problem(name, f"must be {' or '.join(allowed)}, not {_shown(value)}")
            return default
        return value

    def integer(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Take a whole number from `least` to `most`. The field is required if there is no default."""
        value = self.take(name)
        if self._missing(name, value, required=default is None):
            return least if default is None else default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.problem(name, f"must be a whole number of {least} to {most}, not {_shown(value)}")
            return least if default is None else default
        return value

    def amount(self, name: str, most: float) -> float | None:
        """Take a number above 0 and at most `most`. Returns None if it is absent or wrong."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
            self.problem(name, f"must be a number above 0 and at most {most:g}, not {_shown(value)}")
            return None
        return value

    def mappings(self, name: str, at_most: int) -> list[Fields]:
        """Take a list of 1 to `at_most` mappings. Returns an empty list if it is absent or wrong."""
        value = self.take(name)
        if value is None:
            return []
        if not isinstance(value, list) or not 1 <= len(value) <= at_most:
            count = f"{len(value)} entries" if isinstance(value, list) else _shown(value)
            self.problem(name, f"must be a list of 1 to {at_most}, not {count}")
            return []
        return [Fields(entry, f"{self._at(name)}[{i}]", self._problems) for i, entry in enumerate(value)]

    def text(
        self, name: str, pattern: re.Pattern[str], rule: str, *, required: bool = True, quoted: bool = True
    ) -> str | None:
        """Take text that matches `pattern` completely. Returns None if it is absent or wrong.

        `quoted` False: a problem does not show the text, which may contain a credential.
        """
        value = self.take(name)
        if self._missing(name, value, required) or self._bad_text(name, value, pattern, rule, quoted):
            return None
        return str(value)

    def text_set(
        self, name: str, pattern: re.Pattern[str], rule: str, at_most: int
    ) -> tuple[str, ...] | None:
        """Take a list of 1 to `at_most` different texts. Returns None if it is absent or wrong."""
        value = self.take(name)
        if self._missing(name, value, required=True):
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= at_most:
            count = f"{len(value)} entries" if isinstance(value, list) else _shown(value)
            self.problem(name, f"must be a list of 1 to {at_most}, not {count}")
            return None
        bad = [self._bad_text(f"{name}[{i}]", entry, pattern, rule) for i, entry in enumerate(value)]
        if any(bad):
            return None
        for twice in sorted({entry for entry in value if value.count(entry) > 1}):
            self.problem(name, f"{twice} is listed twice; list each entry only once")
        return tuple(value)

    def _bad_text(
        self, name: str, value: object, pattern: re.Pattern[str], rule: str, quoted: bool = True
    ) -> bool:
        if isinstance(value, str) and pattern.fullmatch(value):
            return False
        quote = "; put it in quotes" if isinstance(value, (bool, int, float)) else ""
        found = f", not {_shown(value)}{quote}" if quoted else ""
        self.problem(name, f"must be {rule}{found}")
        return True

    def close(self) -> None:
        """Add a problem for every field that was not taken."""
        for name in self._left:
            near = difflib.get_close_matches(str(name)[:100], self._known, n=1)
            known = f"known are {', '.join(self._known)}" if self._known else "there are none here: remove it"
            fix = f"did you mean {near[0]}?" if near else known
            self.problem(shown(str(name)), f"unknown field; {fix}")


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return (
        "nothing" if value is None else shown(repr(value) if not isinstance(value, int) else _digits(value))
    )


def _digits(value: int) -> str:
    """Return the `repr` of an integer. CPython refuses to print more than 4,300 digits."""
    return repr(value) if value.bit_length() < 1000 else "a huge number"
