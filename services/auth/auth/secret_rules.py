"""Rules that JWT_SECRET must satisfy, because it signs all tokens."""

from __future__ import annotations

import re

MIN_BYTES = 32
_MIN_LEFT = 16  # characters that must remain after the guessable words are removed
_MIN_DISTINCT = 8
# Longest first, so that "changeme" is removed before "change". Separators are removed before the search.
_WORDS = (
    "abcdefghijklmnopqrstuvwxyz|0123456789abcdef|supersecret|development|deltastream|1234567890|production|"
    "changethis|replaceme|localhost|insecure|changeme|12345678|testing|private|password|default|example|"
    "replace|change|passwd|please|sample|secret|123456|qwerty|token|admin|local|super|auth|prod|test|your|"
    "this|only|jwt|dev|key|the|not|for|use|my|me|in"
)
_GUESSABLE = re.compile(_WORDS)


def broken_rule(secret: str) -> str | None:
    """Return the rule that `secret` violates (without the secret), or None if it is acceptable.

    Known defaults are refused even if padded, joined or repeated: what remains without guessable words must
    be long enough to be random.
    """
    if len(secret.encode()) < MIN_BYTES:
        return f"must be at least {MIN_BYTES} bytes (make one with: openssl rand -base64 48)"
    left = _GUESSABLE.sub("", re.sub(r"[\s_.:/+-]", "", secret.casefold()))
    if len(left) < _MIN_LEFT or len(set(left)) < _MIN_DISTINCT:
        return (
            "must be random, not a default, a phrase or a repetition (make one with: openssl rand -base64 48)"
        )
    return None
