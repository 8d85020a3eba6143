"""The command `smoke`: test a running release from inside the cluster, through the APIs that users call.

It applies a replay feed and waits until it is Ready. It logs in at the REST gateway and compares the feed's
figures with the expected ones, and it receives a chain from the socket gateway. It also checks that reads
without a token are treated as configured. Each check prints one line, and the first failure ends the command.
If another feed already produces the product, that feed is checked instead. Its figures are compared only if
it replays the same moment of the market.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deltastream_operator.errors import OperatorError
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import Api, ApiError
from deltastream_operator.parsing import strict_yaml

MANAGER = "deltastream-smoke"
_POLL_S = 0.5
_NOT_FOUND = 404


class SmokeError(OperatorError):
    """A check failed. The message contains the value that was found."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The addresses of the gateways, the feed to apply and the figures that the gateways must return."""

    namespace: str
    gateway: str
    socket: str
    feed: dict[str, Any]
    anonymous: bool  # whether reads without a token are allowed
    pcr_oi: float
    pcr_volume: float
    max_pain: float
    deadline_s: float


def load(environ: Mapping[str, str]) -> Expectation:
    """Read the expectation from the environment. Raises OperatorError with the missing or invalid setting."""
    try:
        file = Path(environ["FEED_FILE"])
        feed = strict_yaml.read(file)
        if not isinstance(feed, dict):
            raise ValueError(f"{file}: must be a DeltaStreamFeed")
        return Expectation(
            namespace=environ["NAMESPACE"],
            gateway=environ["GATEWAY_URL"].rstrip("/"),
            socket=environ["SOCKET_URL"].rstrip("/"),
            feed=feed,
            anonymous=environ.get("ANONYMOUS_READ") == "true",
            pcr_oi=float(environ["EXPECT_PCR_OI"]),
            pcr_volume=float(environ["EXPECT_PCR_VOLUME"]),
            max_pain=float(environ["EXPECT_MAX_PAIN"]),
            deadline_s=float(environ["DEADLINE_SECONDS"]),
        )
    except KeyError as error:
        raise OperatorError(f"{error.args[0]}: must be set") from None
    except (ValueError, strict_yaml.YamlError) as error:
        raise OperatorError(f"settings of the smoke test: {error}") from None


async def run(api: Api, expected: Expectation, say: Callable[[str], None]) -> None:
    """Run all checks in order. Raises SmokeError at the first that does not succeed before the deadline."""
    until = time.monotonic() + expected.deadline_s

    async def eventually(what: str, check: Callable[[], Awaitable[str | None]]) -> str:
        seen = "nothing"
        while time.monotonic() < until:
            try:
                if result := await check():
                    say(f"ok  {what}: {result}")
                    return result
            except (aiohttp.ClientError, ApiError, TimeoutError, OSError, SmokeError) as error:
                seen = str(error) or type(error).__name__
            await asyncio.sleep(_POLL_S)
        raise SmokeError(f"{what}: not within {expected.deadline_s:.0f} s; last result: {seen}")

    timeout = aiohttp.ClientTimeout(total=10)
    product = expected.feed["spec"]["products"][0]
    async with aiohttp.ClientSession(timeout=timeout) as http, _feed(api, expected, product, say) as feed:
        name, known = feed["metadata"]["name"], _moment(feed) == _moment(expected.feed)
        gateways = _Gateways(http, expected)
        admitted = "allowed, because ANONYMOUS_READ is true" if expected.anonymous else "refused"
        await eventually(f"a read without a token is {admitted}", gateways.read_without_token)
        await eventually("a new account logs in", gateways.log_in)
        path = names.feeds_path(expected.namespace, name)
        await eventually(f"feed {name} is Ready", lambda: _ready(api, path))
        expiry = await eventually(
            f"{product} has an expiry at the REST gateway", lambda: gateways.expiry(product)
        )
        state = "correct" if known else "available"
        await eventually(f"put/call ratios are {state}", lambda: gateways.ratios(product, expiry, known))
        await eventually(f"max pain is {state}", lambda: gateways.pain(product, expiry, known))
        await eventually("a chain arrives on a WebSocket", lambda: gateways.receive_chain(product))
    say("all checks passed")


@asynccontextmanager
async def _feed(
    api: Api, expected: Expectation, product: str, say: Callable[[str], None]
) -> AsyncIterator[dict[str, Any]]:
    """Apply the expected feed and delete it afterwards. Yields the feed that produces the product.

    If another feed already produces the product, yields that feed and changes nothing.
    """
    name: str = expected.feed["metadata"]["name"]
    listed = (await api.get(names.feeds_path(expected.namespace)))["items"]
    for other in listed:
        if other["metadata"]["name"] != name and product in other["spec"]["products"]:
            owner = other["metadata"]["name"]
            say(f"    {product} belongs to feed {owner} already: that feed is checked instead")
            yield other
            return
    path = names.feeds_path(expected.namespace, name)
    await api.apply(path, expected.feed, MANAGER, force=True)
    say(f"ok  feed {name} is applied")
    try:
        yield expected.feed
    finally:
        await api.delete(path)


def _moment(feed: dict[str, Any]) -> str | None:
    """Return the moment of the market at which a replay starts, or None if the feed has no asOf."""
    moment: str | None = feed["spec"]["source"].get("replay", {}).get("asOf")
    return moment


async def _ready(api: Api, path: str) -> str | None:
    body = await api.get(path)
    conditions = {found["type"]: found for found in body.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    if ready.get("status") == "True" and ready.get("observedGeneration") == body["metadata"]["generation"]:
        return str(ready["reason"])
    raise SmokeError(str(ready.get("message", "no conditions yet: is the operator running?")))


class _Gateways:
    """Checks of the two gateways with a new account. A check returns what it found or raises SmokeError."""

    def __init__(self, http: aiohttp.ClientSession, expected: Expectation) -> None:
        self._http, self._expected, self._token = http, expected, ""
        # All retries of one run use the same account.
        self._account = {
            "email": f"smoke-{secrets.token_hex(6)}@example.com",
            "password": secrets.token_urlsafe(18),
        }

    async def read_without_token(self) -> str | None:
        wanted = 200 if self._expected.anonymous else 401
        async with self._http.get(f"{self._expected.gateway}/api/data/products") as answer:
            if answer.status != wanted:
                raise SmokeError(f"answered {answer.status}, not {wanted}")
            return str(wanted)

    async def log_in(self) -> str | None:
        await self._post("/api/auth/register")
        status, body = await self._post("/api/auth/login")
        if status != 200:
            raise SmokeError(f"login answered {status}: {body.get('detail')}")
        self._token = body["token"]
        return "a token for 10 minutes"

    async def expiry(self, product: str) -> str | None:
        body = await self._get(f"/api/data/expiries/{product}")
        return str(body["expiries"][0]) if body["expiries"] else None

    async def ratios(self, product: str, expiry: str, known: bool) -> str | None:
        body = await self._get(f"/api/analytics/pcr/{product}", expiry=expiry)
        seen = (body["pcr_oi"], body["pcr_volume"])
        if None in seen or (known and seen != (self._expected.pcr_oi, self._expected.pcr_volume)):
            raise SmokeError(f"found {seen}, expected {(self._expected.pcr_oi, self._expected.pcr_volume)}")
        return f"open interest {seen[0]}, volume {seen[1]}"

    async def pain(self, product: str, expiry: str, known: bool) -> str | None:
        body = await self._get(f"/api/analytics/max-pain/{product}", expiry=expiry)
        strike = body["max_pain_strike"]
        if strike is None or (known and strike != self._expected.max_pain):
            raise SmokeError(f"found {strike}, expected {self._expected.max_pain}")
        return f"{strike:g}"

    async def receive_chain(self, product: str) -> str | None:
        """Wait up to 10 s for a chain on a WebSocket.

        Speaks Engine.IO 4 and Socket.IO 5 without a client library: open (0), connect (40), subscribe (42),
        events (42). 44 is a connect error. 2 is a ping and 3 its pong.
        """
        url = f"{self._expected.socket}/socket.io/?EIO=4&transport=websocket"
        async with self._http.ws_connect(url) as socket:
            await socket.receive(timeout=5)
            await socket.send_str("40" + json.dumps({"token": self._token}))
            async with asyncio.timeout(10):
                async for message in socket:
                    text = str(message.data)
                    if text.startswith("44"):
                        raise SmokeError(f"refused: {text[2:200]}")
                    if text.startswith("40"):
                        wanted = {"type": "chain", "symbol": product}
                        await socket.send_str("42" + json.dumps(["subscribe", wanted]))
                    elif text == "2":
                        await socket.send_str("3")
                    elif text.startswith("42"):
                        event, body = json.loads(text[2:])
                        if event == "chain_update":
                            return f"{len(body['calls'])} strikes, PCR {body['pcr_oi']:.4f}"
        return None

    async def _post(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self._http.post(self._expected.gateway + path, json=self._account) as answer:
            return answer.status, await answer.json(content_type=None)

    async def _get(self, path: str, **query: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.get(self._expected.gateway + path, params=query, headers=headers) as answer:
            body: dict[str, Any] = await answer.json(content_type=None)
            if answer.status != 200:
                raise SmokeError(f"{path} answered {answer.status}: {body.get('detail')}")
            return body
