"""Push market messages into an external feed: reads one JSON object a line from standard input.

Usage: your-program | python push.py FEED

The environment gives BASE_URL (http://localhost:8000), EMAIL and PASSWORD of an account with the role ingest.
Each line is a message of the contracts market-*, without `feed`, `mid` and `sent_ts`, which are added here.
`replay` and `truth` may be left out too. A line that the gateway refuses is printed with its field and fix.
Uses the standard library only.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

TRY_AGAIN = (429, 502, 503, 504)


class Gateway:
    """The REST gateway as one account sees it. Sends everything again until it is answered."""

    def __init__(self, base_url: str, email: str, password: str) -> None:
        self._base, self._account = base_url, {"email": email, "password": password}
        self._token = ""

    def push(self, feed: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the gateway's answer. Raises HTTPError if it refuses the request as a whole."""
        body = "\n".join(json.dumps(message) for message in messages).encode()
        while True:
            try:
                if not self._token:
                    login = json.dumps(self._account).encode()
                    self._token = self._post("/api/auth/login", login, "application/json")["token"]
                return self._post(f"/api/ingest/{feed}", body, "application/x-ndjson")
            except urllib.error.HTTPError as error:
                if error.code == 401 and self._token:  # an access token is valid for ten minutes
                    self._token = ""
                    continue
                if error.code not in TRY_AGAIN:
                    raise
                wait_s = int(error.headers.get("Retry-After", 1))
            except (OSError, http.client.HTTPException):  # no connection, or the answer was lost
                wait_s = 1
            time.sleep(wait_s)  # a message keeps its mid, so that it is accepted once

    def _post(self, path: str, body: bytes, content_type: str) -> Any:
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self._base + path, body, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)


def arriving() -> Iterator[list[bytes]]:
    """Yield the lines that have arrived on standard input, so that requests grow with the messages' rate."""
    rest = b""
    while piece := os.read(sys.stdin.fileno(), 1 << 18):
        *lines, rest = (rest + piece).split(b"\n")
        yield lines
    yield [rest]  # the last line may have no newline


def parsed(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the message of each line. A line that is no JSON object is printed and left out."""
    for line in filter(bytes.strip, lines):
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict):
            yield message
        else:
            print(f"no JSON object: {line[:60]!r}", file=sys.stderr)


def main() -> None:
    feed = sys.argv[1]
    gateway = Gateway(
        os.environ.get("BASE_URL", "http://localhost:8000"), os.environ["EMAIL"], os.environ["PASSWORD"]
    )
    # No mid may ever be used twice, also not by a second program that starts in the same second.
    epoch, sequence = int(time.time()), secrets.randbelow(10**9) * 10**6
    for lines in arriving():
        messages = list(parsed(lines))
        if not messages:
            continue
        for message in messages:
            sequence += 1
            message |= {"feed": feed, "mid": f"{epoch}:{sequence}", "sent_ts": time.time_ns()}
            message.setdefault("replay", 0)
            message.setdefault("truth", None)
        try:
            answer = gateway.push(feed, messages)
        except urllib.error.HTTPError as error:
            sys.exit(f"{error.code}: {json.load(error)['detail']}")
        print(f"accepted {answer['accepted']}, repeated {answer['repeated']}, refused {answer['refused']}")
        for line in answer["lines"]:
            if line["result"] == "refused":
                print(f"{line['mid']}: {line['detail']}: {line['fix']}", file=sys.stderr)


if __name__ == "__main__":
    main()
