"""Find the API server and the credentials for it, for the operator's own calls and for kopf's watches."""

from __future__ import annotations

from pathlib import Path

import kopf
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from deltastream_operator.errors import OperatorError

_CONNECTIONS = 16
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_BEARER = "BearerToken"  # the key of the token in the client's configuration


async def configuration() -> Configuration:
    """Load the pod's service account, or else the kubeconfig (KUBECONFIG).

    The client reads a service account's token again every minute, because the kubelet rotates it.
    Raises OperatorError if neither exists or can be used.
    """
    loaded = Configuration()
    loaded.connection_pool_maxsize = _CONNECTIONS
    try:
        config.load_incluster_config(client_configuration=loaded)
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=loaded)
        except config.ConfigException as error:
            raise OperatorError(
                f"no cluster: this is no pod with a service account, and the kubeconfig (KUBECONFIG)"
                f" cannot be used: {error}"
            ) from None
    return loaded


async def for_kopf() -> kopf.ConnectionInfo:
    """Return the same connection in kopf's form. kopf asks again after the API server rejects a token.

    Raises OperatorError if there is no connection.
    """
    loaded = await configuration()
    scheme, _, token = loaded.api_key.get(_BEARER, "").partition(" ")
    return kopf.ConnectionInfo(
        server=loaded.host,
        ca_path=loaded.ssl_ca_cert,
        insecure=not loaded.verify_ssl,
        scheme=scheme or None,
        token=token.strip() or None,
        certificate_path=loaded.cert_file,
        private_key_path=loaded.key_file,
        proxy_url=loaded.proxy,
        trust_env=True,
    )


def namespace() -> str:
    """Return the pod's namespace, or else that of the kubeconfig's current context."""
    if _POD_NAMESPACE.exists():
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    try:
        _, active = config.list_kube_config_contexts()
    except config.ConfigException:
        return "default"
    return str(active["context"].get("namespace") or "default")
