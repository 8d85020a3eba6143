"""Find the API server and the credentials for it, for the operator's own calls and for kopf's watches."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import kopf
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from deltastream_operator.errors import OperatorError

_CONNECTIONS = 16
_RELOAD_S = 60.0  # the official client's own period for a service account's token
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_BEARER = "BearerToken"  # the key of the token in the client's configuration


async def configuration() -> Configuration:
    """Load the pod's service account, or else the kubeconfig (KUBECONFIG).

    The client reads the token again every minute. The kubelet rotates a service account's token, and a
    kubeconfig may name a command whose token expires. Raises OperatorError if neither exists or can be used.
    """
    # By default the client takes proxies and passwords from the environment and ~/.netrc.
    loaded = Configuration(connection_pool_maxsize=_CONNECTIONS, client_session_kwargs={"trust_env": False})
    try:
        config.load_incluster_config(client_configuration=loaded)
    except config.ConfigException:
        try:
            await _load_kubeconfig(loaded)
        except config.ConfigException as error:
            raise OperatorError(
                f"no cluster: this is no pod with a service account, and the kubeconfig (KUBECONFIG)"
                f" cannot be used: {error}"
            ) from None
        # The client declares the hook as None.
        loaded.refresh_api_key_hook = _reload_each_minute()  # type: ignore[assignment]
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


def _reload_each_minute() -> Callable[[Configuration], Awaitable[None]]:
    """Return a hook that the client calls before each request that sends a token."""
    read_at = time.monotonic()

    async def reload(into: Configuration) -> None:
        nonlocal read_at
        if time.monotonic() - read_at > _RELOAD_S:
            await _load_kubeconfig(into)
            read_at = time.monotonic()

    return reload


async def _load_kubeconfig(into: Configuration) -> None:
    """Load the kubeconfig into a configuration. Raises ConfigException if it cannot be used."""
    try:
        await config.load_kube_config(client_configuration=into, persist_config=False)
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        # The client itself checks neither the YAML nor whether the context's user exists.
        text = " ".join(str(error).split())  # a YAML error has several lines
        raise config.ConfigException(f"{type(error).__name__}: {text}") from error
