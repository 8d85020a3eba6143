"""The names of US options (OSI): root, date, side and 1000 times the strike, such as SPXW220218C04300000."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import NamedTuple

_NAME = re.compile(r"(?P<root>[A-Z0-9]{1,6}) *(?P<day>\d{6})(?P<side>[CP])(?P<strike>\d{8})", re.ASCII)


class Osi(NamedTuple):
    """The parts of a name. The root is a product of its own: SPX settles at the open, SPXW at the close."""

    root: str
    expiry: date
    is_call: bool
    strike: float


def parse(name: str) -> Osi | None:
    """Return the parts of an OSI name, or None if it is none."""
    found = _NAME.fullmatch(name.strip())
    if found is None:
        return None
    try:
        expiry = datetime.strptime(found["day"], "%y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
    return Osi(found["root"], expiry, found["side"] == "C", int(found["strike"]) / 1000)
