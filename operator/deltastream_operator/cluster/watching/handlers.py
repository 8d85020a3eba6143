"""kopf's part: watch, and put what it sees into the table. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.login import for_kopf

_OURS = {names.MANAGED_BY_LABEL: names.MANAGER}


def registry(table: Table) -> kopf.OperatorRegistry:
    """Handlers of raw watch events only: they write nothing to any object, and need no finalizers."""
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
    """kopf's settings, each with its reason."""
    made = kopf.OperatorSettings()
    # With a namespaced Role kopf would ask for CRDs and namespaces in vain and stay blind for 54 s.
    made.scanning.disabled = True
    made.posting.enabled = False  # Events are posted by our own adapter
    made.watching.server_timeout = 300
    made.watching.client_timeout = 310
    made.watching.connect_timeout = 5
    made.networking.request_timeout = 30
    made.networking.error_backoffs = (1, 2, 5, 5, 5, 5, 5, 5)
    made.persistence.finalizer = f"{names.GROUP}/unused"
    made.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    made.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=names.GROUP)
    return made
