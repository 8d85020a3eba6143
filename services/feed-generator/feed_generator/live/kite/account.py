"""Read the API key and the access token. Their values appear in no message and no representation.

Both are in files, which are read again for each connection: a person writes a new access token each morning,
and the generator takes it without a restart. In a cluster the files are the keys of a mounted Secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from feed_generator.live.exchange import Unauthorized

_SECRET = re.compile(r"[A-Za-z0-9]{1,128}")

_COPY = "copy the API key of your app at Kite Connect into the file or into the Secret"
_RENEW = "log in at Kite and write a new access token into the file or into the Secret, read every 30 s"


@dataclass(frozen=True, slots=True)
class Account:
    """The credentials of one Kite Connect app."""

    api_key: str = field(repr=False)
    access_token: str = field(repr=False)


def read(api_key_file: str, access_token_file: str) -> Account:
    """Return the credentials in the two files. Raises Unauthorized if there are none."""
    return Account(
        _read("KITE_API_KEY_FILE", api_key_file, _COPY),
        _read("KITE_ACCESS_TOKEN_FILE", access_token_file, _RENEW),
    )


def refused(host: str) -> Unauthorized:
    """Return the error of credentials that `host` does not accept."""
    return Unauthorized(
        "TokenExpired",
        f"{host} refuses the access token, which ends each morning at about 06:00: {_RENEW}. "
        "If it is new: the API key must be of the same app, and the app must have market data",
    )


def _read(variable: str, path: str, fix: str) -> str:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError as error:
        text = f"{variable}: {path} cannot be read ({error.strerror}): {fix}"
        raise Unauthorized("NoToken", text) from None
    except UnicodeDecodeError:
        text = ""
    if not _SECRET.fullmatch(text):
        rule = "must contain one word of A-Z, a-z and 0-9"
        raise Unauthorized("NoToken", f"{variable}: {path} {rule}: {fix}")
    return text
