"""The kopf handlers: they put watch events into the table and decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.login import for_kopf

_OURS = {names.MANAGED_BY_LABEL: names.MANAGER}


def registry(table: Table) -> kopf.OperatorRegistry:
    """Return a registry of raw watch handlers. They write to no object and need no finalizers."""
    made = kopf.OperatorRegistry()

    @kopf.on.login(registry=made)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await for_kopf()

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=made)
    async def feed(event: Mapping[str, Any], **_: Any) -> None:
        table.saw_feed(event["type"], dict(event["object"]))

    @kopf.on.event("apps", "v1", "deployments", labels=_OURS, registry=made)
    async def deployment(event: Mapping[str, Any], **_: Any) -> None:
        table.saw_workload(event["type"], "enricher", dict(event["object"]))

    @kopf.on.event("apps", "v1", "statefulsets", labels=_OURS, registry=made)
    async def statefulset(event: Mapping[str, Any], **_: Any) -> None:
        table.saw_workload(event["type"], "generator", dict(event["object"]))

    @kopf.on.event("", "v1", "pods", labels=_OURS, registry=made)
    async def pod(event: Mapping[str, Any], **_: Any) -> None:
        table.saw_pod(event["type"], event["object"])

    return made


def settings() -> kopf.OperatorSettings:
    """Return the settings of kopf."""
    made = kopf.OperatorSettings()
    # A namespaced Role may not read CRDs and namespaces: kopf would retry for 54 s before its first watch.
    made.scanning.disabled = True
    made.posting.enabled = False  # cluster/writing/events.py posts the Events
    made.watching.server_timeout = 300
    made.watching.client_timeout = 310
    made.watching.connect_timeout = 5
    made.networking.request_timeout = 30
    made.networking.error_backoffs = (1, 2, 5, 5, 5, 5, 5, 5)
    made.persistence.finalizer = f"{names.GROUP}/unused"
    made.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    made.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=names.GROUP)
    return made
