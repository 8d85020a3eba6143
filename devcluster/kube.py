"""Talk to the cluster as its users do: kubectl and helm, and port-forwards that come back by themselves."""

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
    """A command failed; the text is what it said."""


def run(argv: Sequence[str], *, stdin: str | None = None, timeout: float = 120) -> str:
    """The command's standard output. Raises Refused with its standard error."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise Refused(done.stderr.strip() or done.stdout.strip())
    return done.stdout


@dataclass(frozen=True)
class Cluster:
    """One cluster and one namespace of it."""

    kubeconfig: Path
    kubectl_program: Path
    helm_program: Path
    namespace: str = "default"

    def within(self, namespace: str) -> Cluster:
        """The same cluster, another namespace."""
        return replace(self, namespace=namespace)

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """kubectl in this namespace. Raises Refused."""
        return run([*self._kubectl(), *arguments], stdin=stdin, timeout=timeout)

    def helm(self, *arguments: str, timeout: float = 600) -> str:
        """helm in this namespace. Raises Refused."""
        program = [
            str(self.helm_program),
            "--kubeconfig",
            str(self.kubeconfig),
            "--namespace",
            self.namespace,
        ]
        return run([*program, *arguments], timeout=timeout)

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object or a list, as the API has it."""
        body: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return body

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects of a list."""
        found: list[dict[str, Any]] = self.get(*arguments)["items"]
        return found

    def apply(self, text: str) -> None:
        """kubectl apply of YAML or JSON text."""
        self.kubectl("apply", "--filename=-", stdin=text)

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[int]:
        """A loopback port that leads to `target` (svc/x, pod/y), started again whenever its pod goes away."""
        local = free_port()
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
        """Whether the project's own tests made this cluster."""
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
    """The cluster, if it was made for tests; else Refused: tests delete things."""
    if not cluster.is_ours():
        raise Refused(
            f"the cluster of {cluster.kubeconfig} was not made by `make node-up` or `make kind-up` "
            f"(it has no ConfigMap {'/'.join(MARKER)}); the tests run against no other"
        )
    return cluster


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
