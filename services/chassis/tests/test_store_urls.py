"""Tests for the URLs of Redis and MongoDB: which are accepted, and the messages about the others."""

from __future__ import annotations

import pytest

from chassis import mongo_urls, redis_urls

ENCODED = r"with / \? # : @ % in the password percent-encoded \(/ is %2F\)"


@pytest.mark.parametrize(
    "url", ["redis://", "redis:///0", "redis://:hunter@/0", "rediss://:6379", "redis://u@"]
)
def test_the_message_about_a_redis_url_without_a_host_names_the_host(url: str) -> None:
    """Advice about the password would mislead the user."""
    with pytest.raises(ValueError, match=r"; the host is missing$"):
        redis_urls.checked(url)


@pytest.mark.parametrize(
    "url", ["redis://:/hunter@h/0", "redis://:hun/ter@h", "redis://[hunter", "redis://:#@h"]
)
def test_a_password_that_hides_the_redis_host_gets_advice_on_encoding(url: str) -> None:
    """The host seems to be missing, but the cause is an unencoded slash in the password."""
    with pytest.raises(ValueError, match=ENCODED):
        redis_urls.checked(url)


@pytest.mark.parametrize("url", ["mongodb://", "mongodb:///d", "mongodb://u:hunter@/d", "mongodb+srv://u:p@"])
def test_the_message_about_a_mongodb_url_without_a_host_names_the_host(url: str) -> None:
    """The rule is the same as for Redis."""
    with pytest.raises(ValueError, match=r"; the host is missing$"):
        mongo_urls.checked(url)


@pytest.mark.parametrize(
    "url", ["mongodb://u:/hunter@h/d", "mongodb://u:12/hunter@h/d", "mongodb:///hunter@h"]
)
def test_a_password_that_hides_the_mongodb_host_gets_advice_on_encoding(url: str) -> None:
    """The rule is the same as for Redis."""
    with pytest.raises(ValueError, match=ENCODED):
        mongo_urls.checked(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://:hunter@h",
        "memory://",
        "redis:h",
        "redis://:hunter@/0",
        "redis://:hunter@h:0/0",
        "redis://:hunter@h:port",
        "redis://:hunter@h:6379/zero",
        "redis://:hunter@h:6379/1/2",
        "redis://:hunter@h/-1",
        "redis://:hunter@h/0?db=1",
        "redis://:hunter@h?db=0&db=1",
        "redis://user:12/hunter@h",
        "redis://:hunter#2@h",
        "redis://:12?hunter@h",
        "redis://[hunter",
        "redis://::1:6379/0",
        "redis://:hunter@h h/0",
        "redis://:hunter@h/0\nredis://x",
        "redis://:hunter@a,b/0",
        "redis://:hunter@a/0;redis://:hunter@b/0",
        "redis://:hunter@h/0?ssl_cert_reqs=none",
        "redis://:hunter@h/0?ssl=true",
        "redis://:hunter@h/0?decode_responses=true",
        "redis://:hunter@h/0?protocol=3",
        "redis://:hunter@h/0?socket_timeout=soon",
        "redis://:hunter@h/0?socket_timeout=0",
        "redis://:hunter@h/0?socket_connect_timeout=inf",
        "redis://:hunter@h/0?max_connections=-1",
        "rediss://:hunter@h/0?ssl_ca_certs=",
        "rediss://:hunter@%2Ftmp%2Fa.sock",
        "rediss://:hunter@h/0?ssl_cert_reqs=maybe",
        "rediss://:hunter@h/0?ssl_check_hostname=off",
        "rediss://:hunter@h/0?ssl_ca_certs=/does/not/exist",
        "rediss://:hunter@h/0?ssl_ca_certs=/etc/hostname",
        "rediss://:hunter@h/0?ssl_ca_path=/does/not/exist",
        "rediss://:hunter@h/0?ssl_certfile=/does/not/exist",
        "rediss://:hunter@h/0?ssl_keyfile=/does/not/exist",
        "sentinel://:hunter@h:26379/0",
        "redis+sentinel://:hunter@h:26379/0",
        "rediss+cluster://:hunter@h:6379/0",
        "unix://relative.sock",
        "unix://",
        "unix:///tmp/a.sock?ssl_cert_reqs=none",
    ],
)
def test_a_redis_url_that_cannot_work_is_refused(url: str) -> None:
    """redis-py would misread these URLs. The message does not show the password."""
    with pytest.raises(ValueError, match="must ") as caught:
        redis_urls.checked(url)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("redis://h", "redis://h"),
        ("redis://u:p%2Fw@[::1]:6380/3/", "redis://u:p%2Fw@[::1]:6380/3"),
        ("redis+socket:///r.sock?virtual_host=2", "unix:///r.sock?db=2"),
        ("rediss://h/1?ssl_cert_reqs=CERT_NONE", "rediss://h/1?ssl_cert_reqs=none"),
    ],
)
def test_a_redis_url_is_returned_in_the_form_of_redis_py(url: str, read: str) -> None:
    """The forms of Celery and flask-limiter are converted."""
    assert redis_urls.checked(url) == read


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://u:hunter@h/d",
        "mongodb:///d",
        "mongodb://u:hunter@h:0/d",
        "mongodb://u:12/hunter@h/d",
        "mongodb://u:hunter@h/a/b",
        "mongodb://u:hunter@h h/d",
        "mongodb://u:hunter@h/d?tls=yes",
        "mongodb://u:hunter@h/d?tsl=true",
        "mongodb://u:hunter@h/d?tls=true&tls=false",
        "mongodb://u:hunter@h/d?ssl=true&tls=false",
        "mongodb://u:hunter@h/d?tls=true&tlsInsecure=maybe",
        "mongodb://u:hunter@h/d?tls=false&tlsCAFile=/etc/hostname",
        "mongodb://u:hunter@h/d?tls=true&tlsCAFile=/does/not/exist",
        "mongodb://u:hunter@h/d?tls=true&tlsCAFile=/etc/hostname",
        "mongodb://u:hunter@h/d;tls=true",
        "mongodb://u:hunter@h/d?x=1;tls=true",
        "mongodb://u:hunter@h/d?authMechanism=PLAIN",
        "mongodb+srv://u:hunter@h.example.com/d?tls=false&authMechanism=PLAIN",
        "mongodb://u:hunter@h/d?tls=TRUE",
        "mongodb://u:hunter@h/d?tlsInsecure=true",
        "mongodb://u:hunter@h/d?tlsAllowInvalidCertificates=true",
    ],
)
def test_a_mongodb_url_that_cannot_work_is_refused(url: str) -> None:
    """PyMongo only warns about an unknown option, and then connects without TLS."""
    with pytest.raises(ValueError, match="must ") as caught:
        mongo_urls.checked(url)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://h",
        "mongodb://u:p%2Fw@a:1,b:2,[::1]:3/d?replicaSet=r&authSource=admin&tls=true",
        "mongodb://%2Ftmp%2Fmongodb-27017.sock/d",
        "mongodb+srv://u:p@cluster.example.com/d?retryWrites=true&w=majority",
    ],
)
def test_a_mongodb_url_that_pymongo_understands_is_accepted(url: str) -> None:
    """The check makes no DNS lookup."""
    assert mongo_urls.checked(url) == url
