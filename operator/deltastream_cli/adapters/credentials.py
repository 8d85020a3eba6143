"""The tokens of `deltastream login`, in one file that only its owner can read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from deltastream_cli.errors import CommandError

_EARLY = timedelta(seconds=30)  # a token that ends within this time is refreshed before it is used


@dataclass(frozen=True, repr=False)
class Session:
    """The tokens of one login. It has no repr, so no message can show a token."""

    email: str
    access_token: str
    refresh_token: str
    expires_at: str

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Session:
        """Return the session in an answer of auth. Raises KeyError if it is not one."""
        return cls(
            answer["user"]["email"], answer["access_token"], answer["refresh_token"], answer["expires_at"]
        )

    def ends_soon(self, now: datetime) -> bool:
        """Return whether the access token has ended or ends within half a minute."""
        return datetime.fromisoformat(self.expires_at) - _EARLY <= now


class Credentials:
    """The sessions by the URL of the gateway, in `{folder}/credentials.json` with mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "credentials.json"

    def session(self, url: str) -> Session | None:
        """Return the session for a gateway. Raises CommandError if the file cannot be read."""
        found = self._all().get(url)
        return Session(**found) if found else None

    def keep(self, url: str, session: Session | None) -> None:
        """Store the session for a gateway, or remove it. Call it inside of `locked`."""
        every = self._all()
        every.pop(url, None)
        if session is not None:
            every[url] = asdict(session)
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(every, file)
        new.replace(self._path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude other processes: a refresh token works once, and a second use ends the login."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(self._folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _all(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise CommandError(
                f"{self._path} cannot be read ({type(error).__name__}): remove it and log in"
            ) from None
        return found


def folder() -> Path:
    """Return the folder of the command line's files: `deltastream` below XDG_CONFIG_HOME or ~/.config."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "deltastream"
