"""Settings of the subscriber and the worker, from environment variables, validated at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from worker_enricher.chassis import environment, redis_urls
from worker_enricher.chassis.definitions import Definitions

_SECRETS = ("REDIS_URL", "MONGO_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")

_RedisUrl = Annotated[str, AfterValidator(redis_urls.checked)]


def _mongo_url(url: str) -> str:
    # NB: imported here, because the subscriber does not need PyMongo, which takes 7 MiB.
    from worker_enricher.chassis import mongo_urls

    return mongo_urls.checked(url)


def _names(value: object) -> object:
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


class Settings(BaseModel):
    """The environment variables of the subscriber. The worker has them too."""

    feed: Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", description="Feed to enrich.")]
    products: Annotated[
        list[Annotated[str, Field(pattern="^[A-Z0-9&-]{1,20}$")]],
        BeforeValidator(_names),
        Field(description="Products of the feed, comma-separated; others are refused. Empty allows any."),
    ] = []
    definitions: Annotated[
        Definitions,
        Field(description="Terms that messages must state, by product: JSON, as in the feed's spec."),
    ] = []
    redis_url: Annotated[_RedisUrl, Field(description="Streams, cache, Pub/Sub (db 0).")]
    celery_broker_url: Annotated[_RedisUrl, Field(description="Celery's queue (db 1).")]
    celery_result_backend: Annotated[
        str | None, Field(description="Ignored: accepted because the original's deployments set it.")
    ] = None
    concurrency: Annotated[int, Field(ge=1, le=64, description="Batches computed in parallel.")] = 1
    host: Annotated[str, Field(description="Address of the probe server.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the probe server; 0 = none.")] = 0
    batch_entries: Annotated[int, Field(ge=1, le=4096, description="Maximum entries per batch.")] = 256
    queue_limit: Annotated[
        int, Field(ge=1, le=1000, description="Send tasks only while fewer wait in Celery.")
    ] = 1
    claim_idle_ms: Annotated[int, Field(ge=100, description="Take over entries idle for longer.")] = 15_000
    max_deliveries: Annotated[int, Field(ge=2, le=100, description="Limit before a dead letter.")] = 5
    dlq_max_entries: Annotated[int, Field(ge=1, description="Maximum dead letters per feed.")] = 2_000
    dlq_max_bytes: Annotated[
        int, Field(ge=2 << 20, description="Maximum bytes of dead letters; the oldest are dropped.")
    ] = 4 << 20
    log_level: Annotated[
        str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Lowest level to log.")
    ] = "INFO"


class WorkerSettings(Settings):
    """Every environment variable of the worker."""

    mongo_url: Annotated[str, AfterValidator(_mongo_url), Field(description="Database for the documents.")]


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the subscriber's settings. Raises SystemExit(2) after printing each invalid variable."""
    return environment.load(Settings, _SECRETS, environ)


def load_worker(environ: Mapping[str, str] = os.environ) -> WorkerSettings:
    """Return the worker's settings. Raises SystemExit(2) as `load` does."""
    return environment.load(WorkerSettings, _SECRETS, environ)
