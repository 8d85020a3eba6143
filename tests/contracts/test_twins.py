"""Copies between services are allowed where listed here, and only while they stay equal."""

from __future__ import annotations

from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("log_setup.py", 8),
        ("health.py", 8),
        ("bearer.py", 5),
        ("environment.py", 5),
        ("problems.py", 5),
        ("gunicorn_base.py", 5),
        ("http_parser.py", 5),
        ("http_worker.py", 5),
        ("service_token.py", 2),
        ("mongo_urls.py", 4),
    ],
)
def test_a_twin_is_byte_equal_everywhere(name: str, least: int) -> None:
    """A fix in one copy must reach all: drift in silence is how copies go wrong."""
    copies = sorted(SERVICES.glob(f"*/*/chassis/{name}"))
    assert len(copies) >= least
    assert {path.read_bytes() for path in copies} == {copies[0].read_bytes()}


def test_the_operator_reads_a_redis_url_as_the_services_do() -> None:
    """A Redis URL has one meaning in the whole product."""
    copies = sorted(SERVICES.glob("*/*/chassis/redis_urls.py"))
    copies.append(SERVICES.parent / "operator" / "deltastream_operator" / "redis_urls.py")
    assert len(copies) >= 7
    assert {path.read_bytes() for path in copies} == {copies[0].read_bytes()}
