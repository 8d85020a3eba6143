"""The thread of the sessions: it ends when it is asked to, and keeps the error of a defect."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from typing import cast

import pytest
from devcluster.waiting import wait_until

from feed_generator.live.session import Session
from feed_generator.live.thread import SessionThread


class Waits:
    """A session that runs until it is cancelled."""

    cancelled = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


class Fails:
    """A session with a defect."""

    async def run(self) -> None:
        raise KeyError("defect")


def _alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "live"]


@pytest.mark.parametrize("started", [True, False])
def test_it_ends_at_once_also_right_after_its_start(started: bool) -> None:
    """SIGTERM may come before the first connection."""
    session = Waits()
    thread = SessionThread([cast(Session, session)])
    thread.start()
    if started:
        wait_until(lambda: thread._main is not None, "the sessions")
    thread.stop()
    assert _alive() == []
    assert thread.failure is None


def test_a_thread_that_never_starts_leaves_nothing_open() -> None:
    """A market that is built and not run has no event loop to close."""
    thread = SessionThread([cast(Session, Waits())])
    thread.stop()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del thread
        gc.collect()
    assert [str(one.message) for one in caught if "loop" in str(one.message)] == []


def test_a_defect_ends_all_sessions_and_is_kept() -> None:
    """The publisher raises it, so the process ends and is started again."""
    thread = SessionThread([cast(Session, Fails()), cast(Session, Waits())])
    thread.start()
    wait_until(lambda: thread.failure is not None, "the failure")
    thread.stop()
    assert isinstance(thread.failure, BaseExceptionGroup)
    assert _alive() == []
