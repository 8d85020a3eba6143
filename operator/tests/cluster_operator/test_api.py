"""The API client: lists come in pages, and an error says what was answered, whoever answered it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from deltastream_operator.kubernetes.api import PAGE, Api, ApiError

Answer = Callable[[web.Request], Awaitable[web.Response]]


def asked(answer: Answer, ask: Callable[[Api], Awaitable[Any]]) -> Any:
    """What `ask` makes of a server that answers so."""

    async def run() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            server = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with Api(Configuration(host=server), lambda verb: None) as api:
                return await ask(api)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def test_a_list_is_asked_for_page_by_page() -> None:
    """Rule: no answer holds more than a page, whatever there is; the selector goes with every page."""
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(dict(request.query))
        number = int(request.query.get("continue", "0"))
        metadata = {"resourceVersion": "7", "continue": str(number + 1) if number < 2 else ""}
        return web.json_response({"metadata": metadata, "items": [number]})

    async def ask(api: Api) -> list[Any]:
        return [page["items"][0] async for page in api.pages("/pods", labelSelector="a=b")]

    assert asked(answer, ask) == [0, 1, 2]
    first = {"labelSelector": "a=b", "limit": str(PAGE)}
    assert seen == [first, {**first, "continue": "1"}, {**first, "continue": "2"}]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, '{"kind": "Status", "message": "failed calling webhook"}', "failed calling webhook"),
        (502, "<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (503, "", ""),
        (400, "[1]", "[1]"),
    ],
)
def test_an_error_keeps_its_status_and_words_whoever_answers(status: int, body: str, message: str) -> None:
    """Rule: a proxy's page is an answer, not an API server that is away."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async def ask(api: Api) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await api.get("/x")
        return caught.value

    error = asked(answer, ask)
    assert (error.status, error.message) == (status, message)


def test_an_answer_that_is_no_json_is_no_answer() -> None:
    """Rule: who says 200 and something else is not the API server."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="<html>hello</html>")

    async def ask(api: Api) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await api.get("/x")
        return caught.value

    assert asked(answer, ask).status == 0


def test_a_write_tells_the_server_to_give_up_before_we_do() -> None:
    """Rule: what hangs behind the API server, an admission webhook, becomes an answer."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(dict(request.query))

    async def ask(api: Api) -> Any:
        return await api.merge("/x", {}), await api.get("/x")

    assert asked(answer, ask) == ({"timeout": "4s"}, {})
