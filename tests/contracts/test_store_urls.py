"""Every client of a store reads its URL in the same way, also with TLS.

services/chassis/tests/test_store_urls.py checks all URLs that are refused. This module checks samples for
each client.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from devcluster.processes.stores import PASSWORD
from flask import Blueprint, Flask
from kombu.exceptions import OperationalError
from pymongo.errors import PyMongoError

import analytics.cache
import analytics.config
import api_gateway.config
import api_gateway.limits
import auth.bootstrap
import auth.config
import auth.devices
import auth.limits
import feed_generator.adapters.redis_stream
import feed_generator.config
import logging_service.bootstrap
import logging_service.config
import socket_gateway.bootstrap
import socket_gateway.config
import socket_gateway.listener
import storage.bootstrap
import storage.config
import worker_enricher.adapters.celery_app
import worker_enricher.adapters.mongo_sink
import worker_enricher.bootstrap
import worker_enricher.config
from deltastream_operator.cluster import settings as cluster_settings
from deltastream_operator.redis_signals import RedisSignals
from tests.support.tls import Eavesdropper, TlsMongo, TlsRedis

JWT = "q3t6w9z$C&F)J@NcRfUjXn2r5u7x!A%D"
STRANGE = "hunter/?#:@%+ 2;,"
OTHERS: Mapping[str, str] = {
    "REDIS_URL": "redis://localhost/0",
    "MONGO_URL": "mongodb://localhost/deltastream",
    "CELERY_BROKER_URL": "redis://localhost/1",
    "JWT_SECRET": JWT,
    "SERVICE_CLIENT_SECRET": "s",
    "FEED": "f",
    "PRODUCTS": "NIFTY",
    "WATCH_NAMESPACE": "market",
}


class Reader:
    """Loads one service's settings with one URL variable, and connects with the service's own client."""

    def __init__(
        self, name: str, variable: str, load: Callable[[], Any], ping: Callable[[Any], object]
    ) -> None:
        self.name, self.variable, self._load, self._ping = name, variable, load, ping

    def settings(self, monkeypatch: pytest.MonkeyPatch, url: str) -> Any:
        for name, value in (OTHERS | {self.variable: url}).items():
            monkeypatch.setenv(name, value)
        return self._load()

    def value(self, monkeypatch: pytest.MonkeyPatch, url: str) -> str:
        given = getattr(self.settings(monkeypatch, url), self.variable.lower())
        return str(given if isinstance(given, str) else given.get_secret_value())

    def connect(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        self._ping(self.settings(monkeypatch, url))


def _limits_of_the_gateway(settings: Any) -> None:
    blueprint, app = Blueprint("auth", __name__), Flask(__name__)
    blueprint.add_url_rule("/", view_func=lambda: "")
    api_gateway.limits.install(
        app,
        redis_url=settings.redis_url.get_secret_value(),
        reads=[],
        auth=blueprint,
        ingest=Blueprint("ingest", __name__),
        caller=lambda: "a",
        reads_per_minute=9,
        auth_per_minute=9,
        ingest_per_minute=9,
    )
    app.register_blueprint(blueprint)
    _counted_in_redis(app)


def _limits_of_auth(settings: Any) -> None:
    app = Flask(__name__)
    devices = auth.devices.Devices(settings.redis_url.get_secret_value(), b"salt")
    devices._redis.ping()
    limits = auth.limits.Limits(settings, owner=lambda _token: None, devices=devices, salt=b"salt")
    app.add_url_rule("/", view_func=limits.limited("login", lambda: ""))
    limits.install(app)
    _counted_in_redis(app)


def _counted_in_redis(app: Flask) -> None:
    (limiter,) = app.extensions["limiter"]
    app.test_client().get("/")
    limiter.storage.storage.ping()  # the in-memory fallback would hide an outage
    assert limiter.limiter.storage is limiter.storage


def _listener(settings: Any) -> None:
    socket_gateway.listener.Listener(settings.redis_url)._client.ping()


def _celery(settings: Any) -> None:
    app = worker_enricher.adapters.celery_app.create(settings.celery_broker_url, "f")
    with app.connection_for_write() as connection:
        connection.channel().client.ping()


def _operator_settings(workloads: Path) -> cluster_settings.ClusterSettings:
    return cluster_settings.load(os.environ | {"WORKLOADS_DIR": str(workloads)})


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workloads")
    for component in ("generator", "enricher"):
        (folder / f"{component}.yaml").write_text("spec: {containers: [{name: main}]}")
    return folder


REDIS = [
    Reader(
        "analytics", "REDIS_URL", analytics.config.load,
        lambda s: analytics.cache.connect(s.redis_url.get_secret_value(), connections=1).ping(),
    ),
    Reader("api-gateway", "REDIS_URL", api_gateway.config.load, _limits_of_the_gateway),
    Reader("auth", "REDIS_URL", auth.config.load, _limits_of_auth),
    Reader(
        "feed-generator", "REDIS_URL", feed_generator.config.load,
        lambda s: feed_generator.adapters.redis_stream.connect(s.redis_url).ping(),
    ),
    Reader(
        "socket-gateway", "REDIS_URL", socket_gateway.config.load,
        lambda s: socket_gateway.bootstrap._cache_client(s.redis_url).ping(),
    ),
    Reader("socket-gateway-listener", "REDIS_URL", socket_gateway.config.load, _listener),
    Reader(
        "worker-enricher", "REDIS_URL", worker_enricher.config.load,
        lambda s: worker_enricher.bootstrap.redis_client(s.redis_url).ping(),
    ),
    Reader("celery", "CELERY_BROKER_URL", worker_enricher.config.load, _celery),
]  # fmt: skip
MONGO = [
    Reader(
        "auth", "MONGO_URL", auth.config.load, lambda s: auth.bootstrap._client(s).admin.command("ping")
    ),
    Reader(
        "logging-service", "MONGO_URL", logging_service.config.load,
        lambda s: logging_service.bootstrap._database(s).command("ping"),
    ),
    Reader(
        "storage", "MONGO_URL", storage.config.load,
        lambda s: storage.bootstrap.connect(s).admin.command("ping"),
    ),
    Reader(
        "worker-enricher", "MONGO_URL", worker_enricher.config.load_worker,
        lambda s: worker_enricher.adapters.mongo_sink.connect(s.mongo_url).admin.command("ping"),
    ),
]  # fmt: skip


@pytest.fixture(params=[*REDIS, "operator"], ids=lambda each: getattr(each, "name", each))
def reader(request: pytest.FixtureRequest, workloads: Path) -> Reader:
    """Each client of Redis in turn."""
    if isinstance(request.param, Reader):
        return request.param
    return Reader(
        "operator", "REDIS_URL", lambda: _operator_settings(workloads),
        lambda s: RedisSignals(s.redis_url, time.time)._queues.ping(),
    )  # fmt: skip


@pytest.fixture(params=MONGO, ids=lambda each: each.name)
def mongo_reader(request: pytest.FixtureRequest) -> Reader:
    """Each client of MongoDB in turn."""
    found: Reader = request.param
    return found


@pytest.fixture(scope="module")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with TlsRedis(tmp_path_factory.mktemp("tls") / "r") as server:
        with redis.Redis.from_url(server.url()) as client:
            client.acl_setuser("desk", enabled=True, passwords=f"+{STRANGE}", commands=["+@all"], keys=["*"])
        yield server


@pytest.fixture(scope="module")
def tls_mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsMongo]:
    with TlsMongo(tmp_path_factory.mktemp("tls") / "m") as server:
        yield server


@pytest.mark.parametrize(
    "form",
    [
        "rediss://:{password}@127.0.0.1:{port}/0?ssl_ca_certs={ca}",
        "rediss://:{password}@localhost:{port}?db=1&ssl_ca_certs={ca}&ssl_cert_reqs=CERT_REQUIRED",
        "rediss://:{password}@localhost:{port}/1/?ssl_certfile={cert}&ssl_keyfile={key}&ssl_ca_certs={ca}",
        "rediss://:{password}@127.0.0.1:{port}?ssl_cert_reqs=none",
        "rediss://:{password}@127.0.0.1:{port}?ssl_cert_reqs=CERT_NONE&ssl_check_hostname=False",
        "rediss://desk:{strange}@127.0.0.1:{port}/0?ssl_ca_certs={ca}&socket_timeout=3",
        "unix://:{password}@{socket}",
        "unix://{socket}?db=1&password={password}",
        "redis+socket://:{password}@{socket}?virtual_host=1",
    ],
)
def test_every_client_of_redis_connects_with_each_form(
    reader: Reader, form: str, tls_redis: TlsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form that redis-py, Celery or flask-limiter accepts works for all of them, also with TLS."""
    made = tls_redis.certificates
    url = form.format(
        password=PASSWORD, port=tls_redis.port, ca=made.ca, cert=made.certificate, key=made.key,
        socket=tls_redis.socket, strange=quote(STRANGE, safe=""),
    )  # fmt: skip
    reader.connect(monkeypatch, url)


def test_no_client_of_redis_trusts_an_unknown_certificate(
    reader: Reader, tls_redis: TlsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rediss:// URL without options verifies the certificate, although kombu's own default does not."""
    with pytest.raises((redis.ConnectionError, OperationalError), match=r"(?i)certificate"):
        reader.connect(monkeypatch, tls_redis.unverified)


def test_no_client_of_redis_sends_plain_text_before_tls(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first bytes for a rediss:// URL are a TLS ClientHello, not AUTH or HELLO in plain text."""
    with Eavesdropper() as wire, suppress(redis.RedisError, OperationalError, OSError):
        reader.connect(monkeypatch, f"rediss://:hunter2@127.0.0.1:{wire.port}/0")
    assert wire.greeted_in_tls, wire.heard


@pytest.mark.parametrize(
    "url", ["http://:hunter@h", "redis://user:12/hunter@h", "rediss://:hunter@h/0?ssl_cert_reqs=maybe"]
)
def test_an_invalid_redis_url_ends_the_start(
    reader: Reader, url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One message names the variable. The password is not shown."""
    with pytest.raises((SystemExit, cluster_settings.SettingsError)) as caught:
        reader.value(monkeypatch, url)
    output = str(caught.value) + capfd.readouterr().err
    assert reader.variable in output
    assert "hunter" not in output


def test_every_client_reads_a_url_in_the_same_way(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All clients pass the same URL to redis-py."""
    assert reader.value(monkeypatch, "redis://u:p%2Fw@[::1]:6380/3/") == "redis://u:p%2Fw@[::1]:6380/3"
    assert reader.value(monkeypatch, "redis+socket:///r.sock?virtual_host=2") == "unix:///r.sock?db=2"


def test_celery_takes_no_broker_from_the_environment(
    tls_redis: TlsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Celery prefers its environment variables to its arguments, and would ignore the URL from a `_FILE`."""
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL", "CELERY_BROKER_READ_URL"):
        monkeypatch.setenv(name, "redis://:stale@127.0.0.1:1/0")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "rediss://127.0.0.1:1/2")
    app = worker_enricher.adapters.celery_app.create(tls_redis.url(1), "f")
    with app.connection_for_write() as connection:
        connection.default_channel.client.ping()
    assert app.conf.result_backend is None


@pytest.mark.parametrize(
    "options",
    ["tls=true&tlsCAFile={ca}", "ssl=true&tlsCAFile={ca}", "tlsCAFile={ca}", "tls=true&tlsInsecure=true"],
)
def test_every_client_of_mongodb_connects_with_tls(
    mongo_reader: Reader, options: str, tls_mongo: TlsMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyMongo's TLS options work under PyMongo's names."""
    plain = tls_mongo.url.partition("&tls=")[0]
    mongo_reader.connect(monkeypatch, f"{plain}&{options.format(ca=tls_mongo.certificates.ca)}")


def test_a_client_of_mongodb_trusts_no_unknown_certificate(
    tls_mongo: TlsMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL with TLS but without the CA verifies the certificate and fails."""
    storage_reader = next(each for each in MONGO if each.name == "storage")
    with pytest.raises(PyMongoError, match=r"(?i)certificate"):
        storage_reader.connect(monkeypatch, tls_mongo.url.partition("&tlsCAFile=")[0])


def test_no_client_of_mongodb_sends_plain_text_before_tls(
    mongo_reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first bytes for a URL with tls=true are a TLS ClientHello."""
    with Eavesdropper() as wire, suppress(PyMongoError):
        mongo_reader.connect(monkeypatch, f"mongodb://u:hunter@127.0.0.1:{wire.port}/d?tls=true")
    assert wire.greeted_in_tls, wire.heard


@pytest.mark.parametrize("url", ["http://u:hunter@h/d", "mongodb://u:hunter@h/d?tls=yes"])
def test_an_invalid_mongodb_url_ends_the_start(
    mongo_reader: Reader, url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """PyMongo only warns about an unknown option and would connect without TLS."""
    with pytest.raises(SystemExit) as caught:
        mongo_reader.value(monkeypatch, url)
    output = str(caught.value) + capfd.readouterr().err
    assert mongo_reader.variable in output
    assert "hunter" not in output


def test_a_mongodb_url_is_passed_on_unchanged(mongo_reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client gets the URL exactly as it is configured."""
    url = "mongodb://u:p%2Fw@a:1,b:2,[::1]:3/d?replicaSet=r&authSource=admin&tls=true"
    assert mongo_reader.value(monkeypatch, url) == url
