"""Which JWT_SECRET is good enough to sign everybody's tokens."""

from __future__ import annotations

import re

LEAST_BYTES = 32
_LEAST_LEFT = 16  # characters that must be left of a secret without its guessable words
_LEAST_DISTINCT = 8
# Longest first, so that "changeme" goes before "change". Separators are gone before these are looked for.
_WORDS = (
    "abcdefghijklmnopqrstuvwxyz|0123456789abcdef|supersecret|development|deltastream|1234567890|production|"
    "changethis|replaceme|localhost|insecure|changeme|12345678|testing|private|password|default|example|"
    "replace|change|passwd|please|sample|secret|123456|qwerty|token|admin|local|super|auth|prod|test|your|"
    "this|only|jwt|dev|key|the|not|for|use|my|me|in"
)
_GUESSABLE = re.compile(_WORDS)


def broken_rule(secret: str) -> str | None:
    """The rule that `secret` breaks, without the secret; None if it is good.

    Known defaults are refused however they are padded, joined or repeated: without guessable words there
    must be enough left to be random.
    """
    if len(secret.encode()) < LEAST_BYTES:
        return f"must be at least {LEAST_BYTES} bytes (make one with: openssl rand -base64 48)"
    left = _GUESSABLE.sub("", re.sub(r"[\s_.:/+-]", "", secret.casefold()))
    if len(left) < _LEAST_LEFT or len(set(left)) < _LEAST_DISTINCT:
        return (
            "must be random, not a default, a phrase or a repetition (make one with: openssl rand -base64 48)"
        )
    return None
