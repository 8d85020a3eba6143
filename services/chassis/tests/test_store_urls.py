"""What a store's URL that cannot work is told; tests/contracts/test_store_urls.py says which cannot."""

from __future__ import annotations

import pytest

from chassis import mongo_urls, redis_urls

ENCODED = r"with / \? # : @ % in the password as %2F"


@pytest.mark.parametrize(
    "url", ["redis://", "redis:///0", "redis://:hunter@/0", "rediss://:6379", "redis://u@"]
)
def test_a_redis_url_without_a_host_is_told_so(url: str) -> None:
    """Advice on the password would send its reader to the wrong place."""
    with pytest.raises(ValueError, match=r"; the host is missing$"):
        redis_urls.checked(url)


@pytest.mark.parametrize(
    "url", ["redis://:/hunter@h/0", "redis://:hun/ter@h", "redis://[hunter", "redis://:#@h"]
)
def test_a_password_that_hides_the_redis_host_is_told_how_to_write_it(url: str) -> None:
    """What looks like a missing host is here a slash in the password."""
    with pytest.raises(ValueError, match=ENCODED):
        redis_urls.checked(url)


@pytest.mark.parametrize("url", ["mongodb://", "mongodb:///d", "mongodb://u:hunter@/d", "mongodb+srv://u:p@"])
def test_a_mongodb_url_without_a_host_is_told_so(url: str) -> None:
    """As with Redis."""
    with pytest.raises(ValueError, match=r"; the host is missing$"):
        mongo_urls.checked(url)


@pytest.mark.parametrize(
    "url", ["mongodb://u:/hunter@h/d", "mongodb://u:12/hunter@h/d", "mongodb:///hunter@h"]
)
def test_a_password_that_hides_the_mongodb_host_is_told_how_to_write_it(url: str) -> None:
    """As with Redis."""
    with pytest.raises(ValueError, match=ENCODED):
        mongo_urls.checked(url)
