"""Run the real operator process in a namespace of a real API server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import yaml

from devcluster.ports import free_port
from devcluster.processes.api_server import ApiServer
from devcluster.waiting import wait_until

OPERATOR = Path(__file__).resolve().parents[2] / "operator"
# An address without a Redis: signals are Unknown. Manual feeds need no signals.
NO_REDIS = "redis://127.0.0.1:1/0"


def template(component: str, *containers: str) -> dict[str, Any]:
    """Return a minimal pod template with the labels that the chart renders."""
    return {
        "metadata": {
            "labels": {
                "app.kubernetes.io/name": "deltastream",
                "app.kubernetes.io/instance": "test",
                "app.kubernetes.io/component": component,
            }
        },
        "spec": {"containers": [{"name": name, "image": f"example/{name}:1"} for name in containers]},
    }


class Cluster:
    """One namespace of the API server, accessed as cluster admin."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server, self.namespace = server, namespace
        self.feeds = f"/apis/deltastream.dev/v1alpha1/namespaces/{namespace}/deltastreamfeeds"
        self.apps = f"/apis/apps/v1/namespaces/{namespace}"
        self.core = f"/api/v1/namespaces/{namespace}"

    def ask(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        """Send one request and return the decoded body. Raises AssertionError for a status >= 300."""
        status, answer = self.server.request(method, path, body, kind)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status}: {answer}")
        return answer

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at `path`, or None if it does not exist."""
        status, answer = self.server.request("GET", path)
        return answer if status == 200 else None

    def merge(self, path: str, body: object) -> Any:
        """Apply a JSON merge patch and return the object."""
        return self.ask("PATCH", path, body, "application/merge-patch+json")

    def make_feed(self, name: str = "a", products: tuple[str, ...] = ("NIFTY",), **spec: Any) -> None:
        """Create a Manual feed with two enrichers. `spec` overrides fields of the spec."""
        base = {
            "mode": "Manual",
            "products": list(products),
            "source": {"synthetic": {"seed": 1}},
            "enricher": {"replicas": 2},
        }
        metadata = {"name": name}
        body = {"apiVersion": "deltastream.dev/v1alpha1", "kind": "DeltaStreamFeed", "metadata": metadata}
        self.ask("POST", self.feeds, {**body, "spec": base | spec})

    def feed(self, name: str = "a") -> dict[str, Any]:
        """Return a feed."""
        body: dict[str, Any] = self.ask("GET", f"{self.feeds}/{name}")
        return body

    def status(self, name: str = "a") -> dict[str, Any]:
        """Return a feed's status; empty if it has none yet."""
        status: dict[str, Any] = self.feed(name).get("status", {})
        return status

    def condition(self, kind: str, name: str = "a") -> dict[str, Any]:
        """Return one condition of a feed; empty if the status does not have it yet."""
        found = self.status(name).get("conditions", [])
        return next((condition for condition in found if condition["type"] == kind), {})

    def settled(self, name: str = "a") -> bool:
        """Return whether the status describes the newest generation of the spec."""
        body = self.feed(name)
        seen = body.get("status", {}).get("observedGeneration")
        return bool(seen == body["metadata"]["generation"])

    def deployment(self, feed: str = "a") -> dict[str, Any] | None:
        """Return the Deployment of the feed's enrichers, or None."""
        return self.find(f"{self.apps}/deployments/{feed}-enricher")

    def statefulset(self, feed: str = "a") -> dict[str, Any] | None:
        """Return the StatefulSet of the feed's generators, or None."""
        return self.find(f"{self.apps}/statefulsets/{feed}-generator")

    def enrichers(self, feed: str = "a") -> int | None:
        """Return the number of replicas in the enrichers' Deployment, or None if it does not exist."""
        body = self.deployment(feed)
        return None if body is None else body["spec"]["replicas"]


def new_namespace(server: ApiServer) -> Cluster:
    """Create an empty namespace with a random name."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    found = Cluster(server, name)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    found.ask("POST", "/api/v1/namespaces", body)
    return found


class Operator:
    """The process `python -m deltastream_operator run`, with the settings of a pod."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        self._home, self.port = home, free_port()
        folder = home / "workloads"
        folder.mkdir()
        (folder / "generator.yaml").write_text(yaml.safe_dump(template("feed-generator", "generator")))
        (folder / "enricher.yaml").write_text(
            yaml.safe_dump(template("worker-enricher", "subscriber", "worker"))
        )
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(OPERATOR),
            "KUBECONFIG": str(cluster.server.kubeconfig),
            "WATCH_NAMESPACE": cluster.namespace,
            "WORKLOADS_DIR": str(folder),
            "REDIS_URL": NO_REDIS,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> None:
        """Start the operator and wait until it is ready, or with `ready=False` until it is live."""
        with open(self._home / "operator.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deltastream_operator", "run"],
                env=self.environ, stdout=log, stderr=log, cwd=self._home,
            )  # fmt: skip
        path = "/readyz" if ready else "/livez"
        wait_until(lambda: self.get(path)[0] == 200, f"operator answers {path}: {self.log()[-2000:]}")

    def get(self, path: str) -> tuple[int, str]:
        """Send a GET request to the operator. Returns status and body; status 0 if it does not respond."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def writes(self) -> float:
        """Return the number of write requests that the operator has sent to the API server."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("operator_api_writes_total"))

    def ticks(self) -> float:
        """Return the number of ticks of the operator's loop so far."""
        name = "operator_tick_lateness_seconds_count"
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def log(self) -> str:
        """Return the operator's log."""
        file = self._home / "operator.log"
        return file.read_text() if file.exists() else ""

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the operator with a signal and return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=15)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process = None
