"""Where the API server is, and as whom we speak to it."""

from __future__ import annotations

from typing import Any

import kopf

from deltastream_operator.errors import OperatorError


def connection(**arguments: Any) -> kopf.ConnectionInfo | None:
    """In a pod by its service account, elsewhere by the kubeconfig; None where there is neither."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def connected(settings: kopf.OperatorSettings) -> kopf.ConnectionInfo:
    """The connection. Raises OperatorError where there is none."""
    info = connection(settings=settings)
    if info is None:
        raise OperatorError("no cluster: neither a service account nor a kubeconfig (KUBECONFIG) is here")
    return info


def namespace() -> str:
    """The namespace that we run in, or the kubeconfig's."""
    return connected(kopf.OperatorSettings()).default_namespace or "default"
