"""What Kite may send that cannot be used. No message contains a key or a token."""

from __future__ import annotations


class KiteError(Exception):
    """The root of Kite's errors."""


class BadFrame(KiteError):
    """The lengths of a binary message do not add up."""


class BadInstruments(KiteError):
    """The instrument list cannot be used. The message says why."""


class TooManyInstruments(KiteError):
    """The feed needs more instruments than the connections of one API key carry."""
