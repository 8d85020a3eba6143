"""Fixtures: a gateway with the external feed `mine` of SPY, and its Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from tests.support.pushes import publish


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as made:
        publish(made)
        yield made


@pytest.fixture
def writer(gateway: Any, store: Any) -> Any:
    return gateway.client()
