"""Access to a cluster with its users' tools: kubectl, helm and port-forwards that restart automatically."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devcluster.ports import free_port
from devcluster.waiting import wait_until

MARKER = ("kube-public", "deltastream-test-cluster")


class Refused(Exception):
    """A command failed. The text is the command's error output."""


def run(argv: Sequence[str], *, stdin: str | None = None, timeout: float = 120) -> str:
    """Run a command and return its standard output. Raises Refused with its standard error if it fails."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise Refused(done.stderr.strip() or done.stdout.strip())
    return done.stdout


@dataclass(frozen=True)
class Cluster:
    """One cluster and the namespace in which commands run."""

    kubeconfig: Path
    kubectl_program: Path
    helm_program: Path
    namespace: str = "default"

    def within(self, namespace: str) -> Cluster:
        """Return the same cluster with another namespace."""
        return replace(self, namespace=namespace)

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl in this namespace and return its output. Raises Refused if it fails."""
        return run([*self._kubectl(), *arguments], stdin=stdin, timeout=timeout)

    def helm(self, *arguments: str, timeout: float = 600) -> str:
        """Run helm in this namespace and return its output. Raises Refused if it fails."""
        program = [
            str(self.helm_program),
            "--kubeconfig",
            str(self.kubeconfig),
            "--namespace",
            self.namespace,
        ]
        return run([*program, *arguments], timeout=timeout)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return the object or the list that `kubectl get` reads."""
        body: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return body

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects of the list that `kubectl get` reads."""
        found: list[dict[str, Any]] = self.get(*arguments)["items"]
        return found

    def apply(self, text: str) -> None:
        """Apply YAML or JSON text with kubectl."""
        self.kubectl("apply", "--filename=-", stdin=text)

    @contextmanager
    def forward(self, target: str, port: int, local: int | None = None) -> Iterator[int]:
        """Forward the loopback port `local` to `port` of `target` (svc/x, pod/y) and yield the loopback port.

        By default `local` is a free port. The port-forward restarts whenever it ends, for example because
        its pod was deleted.
        """
        local = local or free_port()
        stop = threading.Event()
        argv = [*self._kubectl(), "port-forward", "--address=127.0.0.1", target, f"{local}:{port}"]
        running: list[subprocess.Popen[bytes]] = []

        def keep() -> None:
            while not stop.is_set():
                process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                running[:] = [process]
                process.wait()
                stop.wait(0.2)

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            wait_until(lambda: _listens(local), f"port-forward to {target}")
            yield local
        finally:
            stop.set()
            for process in running:
                process.terminate()
            thread.join(timeout=10)

    def is_ours(self) -> bool:
        """Return whether this cluster has the ConfigMap that marks it as made for the project's tests."""
        namespace, name = MARKER
        try:
            self.kubectl("get", "configmap", name, f"--namespace={namespace}", "--request-timeout=5s")
        except Refused:
            return False
        return True

    def _kubectl(self) -> list[str]:
        options = ["--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace]
        return [str(self.kubectl_program), *options]


def ours(cluster: Cluster) -> Cluster:
    """Return the cluster. Raises Refused if it was not made for tests, since the tests delete objects."""
    if not cluster.is_ours():
        raise Refused(
            f"the cluster of {cluster.kubeconfig} was not created by `make node-up` or `make kind-up` "
            f"(it has no ConfigMap {'/'.join(MARKER)}); the tests use only clusters of these commands"
        )
    return cluster


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
