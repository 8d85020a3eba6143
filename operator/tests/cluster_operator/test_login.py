"""Test the login: first the pod's service account, then the kubeconfig. kopf gets the same credentials."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import incluster_config, kube_config

from deltastream_operator.errors import OperatorError
from deltastream_operator.kubernetes import login


@pytest.fixture(autouse=True)
def kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Remove the traces of a pod. Returns the path of the kubeconfig, which does not exist yet."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    file = tmp_path / "kubeconfig"
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setattr(login, "_POD_NAMESPACE", tmp_path / "namespace")
    return file


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Set up a pod with a service account. Returns the file of its token."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first")
    authority.write_text("a certificate")
    (tmp_path / "namespace").write_text("desk")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    return token


def write(kubeconfig: Path, user: dict[str, Any]) -> None:
    """Write a kubeconfig with one cluster, one user and one context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "research"}}],
        "current-context": "x",
    }
    kubeconfig.write_text(yaml.safe_dump(content))


def authorization(configuration: Configuration) -> str:
    """The Authorization header that the client sends with this configuration."""
    return str(asyncio.run(configuration.auth_settings())["BearerToken"]["value"])


def test_a_pod_uses_its_service_account(pod: Path, kubeconfig: Path) -> None:
    """A kubeconfig in the image or in a volume does not change the operator's identity."""
    write(kubeconfig, {"token": "other"})
    loaded = asyncio.run(login.configuration())
    assert (loaded.host, loaded.ssl_ca_cert) == ("https://[fd00::1]:443", str(pod.parent / "ca.crt"))
    assert login.namespace() == "desk"
    assert authorization(loaded) == "bearer first"


def test_a_rotated_token_is_read_again(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubelet rotates tokens about every hour. The client reads the file again after a minute."""
    loaded = asyncio.run(login.configuration())
    pod.write_text("second")
    assert authorization(loaded) == "bearer first"
    later = incluster_config.datetime.datetime.now() + incluster_config.datetime.timedelta(seconds=61)

    class Clock(incluster_config.datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return later

    monkeypatch.setattr(incluster_config.datetime, "datetime", Clock)
    assert authorization(loaded) == "bearer second"


def test_outside_a_pod_the_kubeconfig_is_used(kubeconfig: Path) -> None:
    """Its current context determines the address, the user and the namespace."""
    write(kubeconfig, {"token": "mine"})
    loaded = asyncio.run(login.configuration())
    assert loaded.host == "https://127.0.0.1:6443"
    assert login.namespace() == "research"
    assert authorization(loaded).lower() == "bearer mine"


def test_the_token_of_a_kubeconfig_is_read_again(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in the kubeconfig may give a token that expires. The file is read again after a minute."""
    write(kubeconfig, {"token": "first"})
    loaded = asyncio.run(login.configuration())
    write(kubeconfig, {"token": "second"})
    assert authorization(loaded) == "Bearer first"
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert authorization(loaded) == "Bearer second"


@pytest.mark.parametrize(
    "text", ["", "[", "users: [", "current-context: x", "clusters: 1\ncontexts: 2\ncurrent-context: x"]
)
def test_a_kubeconfig_that_cannot_be_used_is_an_error_in_one_line(kubeconfig: Path, text: str) -> None:
    """The operator ends with the reason. It prints no traceback."""
    kubeconfig.write_text(text)
    with pytest.raises(OperatorError, match="KUBECONFIG") as caught:
        asyncio.run(login.configuration())
    assert len(str(caught.value).splitlines()) == 1


def test_a_context_without_a_user_is_an_error_in_one_line(kubeconfig: Path) -> None:
    """The official client raises a TypeError for such a context."""
    write(kubeconfig, {"token": "mine"})
    kubeconfig.write_text(kubeconfig.read_text().replace("name: u", "name: other"))
    with pytest.raises(OperatorError, match="KUBECONFIG"):
        asyncio.run(login.configuration())


def test_no_proxy_is_taken_from_the_environment(pod: Path) -> None:
    """A pod's environment may name a proxy for the internet, which cannot reach the API server."""
    session = asyncio.run(login.configuration()).client_session_kwargs
    assert session == {"trust_env": False}
    assert not asyncio.run(login.for_kopf()).trust_env


def test_kopf_gets_the_same_credentials(pod: Path) -> None:
    """kopf watches with a client of its own, as the same user and with the same certificate authority."""
    info = asyncio.run(login.for_kopf())
    assert (info.server, info.ca_path) == ("https://[fd00::1]:443", str(pod.parent / "ca.crt"))
    assert (str(info.scheme).lower(), info.token, info.insecure) == ("bearer", "first", False)


def test_without_credentials_the_error_names_both_places(kubeconfig: Path) -> None:
    """The message says what is missing."""
    with pytest.raises(OperatorError, match=r"service account.*KUBECONFIG"):
        asyncio.run(login.configuration())
    assert login.namespace() == "default"
