"""Calls the REST gateway: tokens, their silent refresh, and errors with their fix."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import quote

import requests

from deltastream_cli.adapters.credentials import Credentials, Session
from deltastream_cli.errors import (
    CommandError,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
    UsageError,
)

TIMEOUT_S = (3.0, 30.0)  # to connect, and between two reads
Answer = dict[str, Any]


def _now() -> datetime:
    return datetime.now(UTC)


class Gateway:
    """One REST gateway. Every method raises a CommandError whose text is one line with the fix."""

    def __init__(self, url: str, credentials: Credentials, now: Callable[[], datetime] = _now) -> None:
        self.url, self._credentials, self._now = url.rstrip("/"), credentials, now
        if not self.url.startswith(("http://", "https://")):
            raise UsageError(f"--url {url}: must begin with http:// or https://")
        self._http = requests.Session()
        self._http.trust_env = not _on_this_machine(self.url)  # a proxy cannot reach this machine's loopback
        self._http.auth = lambda request: request  # otherwise requests would send a login from ~/.netrc

    def get(self, path: str, *segments: str, **query: object) -> Answer:
        """Return the JSON of a GET. `{}` in the path are replaced by the encoded segments."""
        target = path.format(*(quote(segment, safe="") for segment in segments))
        given = {name: str(value) for name, value in query.items() if value is not None}
        answer = self._send("GET", target, params=given, headers=self._bearer())
        if answer.status_code == 401 and self.session() is not None:
            answer = self._send("GET", target, params=given, headers=self._bearer(force=True))
        return self._content(answer)

    def health(self) -> Answer:
        """Return /health: the state of the gateway and of its dependencies, also if they are down."""
        answer = self._send("GET", "/health")
        if answer.status_code not in (200, 503):
            self._fail(answer)
        return self._json(answer)

    def session(self) -> Session | None:
        """Return the stored session, which may have ended."""
        return self._credentials.session(self.url)

    def token(self) -> str | None:
        """Return an access token that is valid for at least half a minute, or None without a login."""
        return self._bearer().get("Authorization", "").removeprefix("Bearer ") or None

    def log_in(self, action: str, body: Answer) -> Session:
        """Log in (`login`) or create an account (`register`), and store the session."""
        answer = self._send("POST", f"/api/auth/{action}", json=body)
        if answer.status_code == 401:
            raise Refused("email and password do not match an account: check both, or add --register")
        try:
            session = Session.of(self._content(answer))
        except (KeyError, TypeError):
            raise CommandError(
                f"{self.url} answered without a session: is it a DeltaStream gateway?"
            ) from None
        with self._credentials.locked():
            self._credentials.keep(self.url, session)
        return session

    def _bearer(self, *, force: bool = False) -> dict[str, str]:
        used = self.session()
        if used is None:
            return {}
        if force or used.ends_soon(self._now()):
            used = self._refreshed(used)
        return {"Authorization": f"Bearer {used.access_token}"}

    def _refreshed(self, used: Session) -> Session:
        with self._credentials.locked():
            kept = self.session()
            if kept is not None and kept.access_token != used.access_token:
                return kept  # another process has refreshed it
            answer = self._send("POST", "/api/auth/refresh", json={"refresh_token": used.refresh_token})
            if answer.status_code == 401:
                self._credentials.keep(self.url, None)
                raise Refused(f"the login has ended: run `deltastream --url {self.url} login`")
            content = self._content(answer)
            session = Session.of({"user": {"email": used.email}, **content})
            self._credentials.keep(self.url, session)
            return session

    def _send(self, method: str, target: str, **options: Any) -> requests.Response:
        try:
            return self._http.request(
                method, self.url + target, timeout=TIMEOUT_S, allow_redirects=False, **options
            )
        except requests.exceptions.SSLError:
            raise Unavailable(
                f"the certificate of {self.url} is not trusted: set REQUESTS_CA_BUNDLE to the file of its CA"
            ) from None
        except requests.exceptions.Timeout:
            raise Unavailable(f"{self.url} did not answer in time: try again, or see `make logs`") from None
        except requests.exceptions.ConnectionError:
            raise Unavailable(
                f"{self.url} does not answer: start a local system with `make start`, or name another one "
                "with --url or DELTASTREAM_URL"
            ) from None
        except requests.exceptions.RequestException as error:
            raise UsageError(f"--url {self.url}: {error}") from None

    def _content(self, answer: requests.Response) -> Answer:
        if answer.status_code not in (200, 201):
            self._fail(answer)
        return self._json(answer)

    def _json(self, answer: requests.Response) -> Answer:
        try:
            content = answer.json()
            if isinstance(content, dict):
                return content
        except requests.exceptions.JSONDecodeError:
            pass
        raise CommandError(f"{self.url} did not answer with JSON: is it a DeltaStream API gateway?")

    def _fail(self, answer: requests.Response) -> NoReturn:
        status = answer.status_code
        try:
            problem = answer.json()
            detail = str(problem.get("detail") or problem.get("error") or problem.get("title"))
        except (requests.exceptions.JSONDecodeError, AttributeError):
            detail = f"status {status} without an explanation: is {self.url} a DeltaStream API gateway?"
        match status:
            case 400 | 409 | 413 | 414 | 415 | 422:
                raise UsageError(detail)
            case 401:
                raise Refused(f"this system needs a login: run `deltastream --url {self.url} login`")
            case 403 | 421:
                raise Refused(detail)
            case 404:
                raise NotFound(detail)
            case 429:
                given = answer.headers.get("Retry-After", "")
                raise RateLimited(int(given) if given.isdecimal() else 60)
            case 502 | 503 | 504:
                raise Unavailable(f"{detail}: try again, and see `deltastream status`")
            case _:
                raise CommandError(f"{detail} (status {status})")


def _on_this_machine(url: str) -> bool:
    host = url.split("//", 1)[1].split("/", 1)[0].rsplit("@", 1)[-1]
    return host.startswith(("localhost", "127.", "[::1]"))


def default_url() -> str:
    """Return DELTASTREAM_URL, or else the gateway of a local run."""
    port = os.environ.get("API_GATEWAY_PORT", "8000")
    return os.environ.get("DELTASTREAM_URL") or f"http://127.0.0.1:{port}"
