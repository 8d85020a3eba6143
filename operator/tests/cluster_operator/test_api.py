"""Test the API client: it reads lists in pages, and its errors have the status and text of the response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from deltastream_operator.kubernetes.api import PAGE, Api, ApiError

Answer = Callable[[web.Request], Awaitable[web.Response]]


def run_against(answer: Answer, ask: Callable[[Api], Awaitable[Any]]) -> Any:
    """Start a server that responds with `answer`, call `ask` with a client of it, and return the result."""

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


def test_a_list_is_requested_page_by_page() -> None:
    """Each response has at most one page of objects. Each request has the selector."""
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(dict(request.query))
        number = int(request.query.get("continue", "0"))
        metadata = {"resourceVersion": "7", "continue": str(number + 1) if number < 2 else ""}
        return web.json_response({"metadata": metadata, "items": [number]})

    async def ask(api: Api) -> list[Any]:
        return [page["items"][0] async for page in api.pages("/pods", labelSelector="a=b")]

    assert run_against(answer, ask) == [0, 1, 2]
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
def test_an_error_has_the_status_and_text_of_the_response(status: int, body: str, message: str) -> None:
    """A proxy's error page is a response. It does not mean that the API server is unavailable."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async def ask(api: Api) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await api.get("/x")
        return caught.value

    error = run_against(answer, ask)
    assert (error.status, error.message) == (status, message)


def test_a_response_that_is_not_json_counts_as_unavailable() -> None:
    """A server that responds with 200 and no JSON is not the API server. The error has status 0."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="<html>hello</html>")

    async def ask(api: Api) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await api.get("/x")
        return caught.value

    assert run_against(answer, ask).status == 0


def test_a_write_has_a_server_timeout_below_the_client_timeout() -> None:
    """So a hanging admission webhook leads to an error response of the API server, which names the cause."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(dict(request.query))

    async def ask(api: Api) -> Any:
        return await api.merge("/x", {}), await api.get("/x")

    assert run_against(answer, ask) == ({"timeout": "4s"}, {})
