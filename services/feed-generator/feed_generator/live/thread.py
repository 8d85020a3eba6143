"""Run the sessions of a live source in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Protocol

_END_S = 5


class Runs(Protocol):
    """Something that runs for ever in the event loop, such as a session."""

    async def run(self) -> None: ...


class SessionThread:
    """Runs sessions until `stop`. If a session fails by a defect, `failure` is its error and all end."""

    def __init__(self, sessions: Sequence[Runs]) -> None:
        self._sessions = sessions
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self) -> None:
        """Close the connections and wait for the end of the thread, for at most 5 s."""
        if self._loop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(_END_S)

    def _cancel(self) -> None:
        self._stopping = True
        if self._main:
            self._main.cancel()

    def _run(self) -> None:
        assert self._loop is not None  # noqa: S101
        try:
            self._loop.run_until_complete(self._serve())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self.failure = error
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        if not self._stopping:
            self._main = asyncio.create_task(self._all())
            await self._main

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for session in self._sessions:
                tasks.create_task(session.run())
