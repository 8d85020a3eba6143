"""Run a real kube-apiserver with its etcd on free loopback ports, without kubelet and controllers.

`stop()` and `start()` simulate an outage: the data is kept. Programs come from the cache that `make node-up`
fills, or from PATH.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from devcluster.environment import cache
from devcluster.ports import free_port
from devcluster.waiting import wait_until

CRD = Path(__file__).resolve().parents[2] / "k8s/crd/deltastreamfeed.yaml"
FEEDS = "/apis/deltastream.dev/v1alpha1/namespaces/default/deltastreamfeeds"
# Log one line for each request of a service account. The tests' own requests are not logged, to save writes.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}
PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
CONTROLLERS = "kube-controller-manager"


class ProgramMissing(Exception):
    """A program of the API server is missing on this machine. The text says how to get it."""


def cached(program: str) -> Path | None:
    """Return a program's path in the node's cache, which has known versions, else in PATH, else None."""
    built = cache() / "bin" / program
    found = str(built) if built.is_file() else shutil.which(program)
    return Path(found) if found else None


class ApiServer:
    """One API server: etcd and kube-apiserver, with data, logs and credentials under `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self._etcd_port, peer = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(16)
        self.ca_file = home / "certs/apiserver.crt"  # the server's certificate is self-signed
        self.kubeconfig = home / "kubeconfig"
        self.audit_log = home / "audit.log"
        self._peer_url = f"http://127.0.0.1:{peer}"
        self._etcd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (home / "service-accounts.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        (home / "audit.json").write_text(json.dumps(AUDIT_POLICY))
        (home / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')

    def start(self) -> None:
        """Start the processes that are not running and return once the server is ready."""
        if not self._etcd:
            self._etcd = self._run("etcd", *self._etcd_flags())
        if not self._server:
            self._server = self._run("kube-apiserver", *self._server_flags())
        wait_until(self.ready, f"kube-apiserver is ready; log {self.home}/kube-apiserver.log")
        self._write_kubeconfig()

    def stop(self) -> None:
        """Stop the API server. etcd keeps running and keeps the data."""
        end(self._server)
        self._server = None

    def close(self) -> None:
        """Stop the API server and etcd."""
        self.stop()
        end(self._etcd)
        self._etcd = None

    def ready(self) -> bool:
        """Return whether the server accepts requests."""
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def request(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        """Send one request as cluster admin. Returns the status code and the decoded body.

        Raises OSError if the server is unavailable.
        """
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file.exists() else None)
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())

    def kubectl(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl against this server only. `given` is its standard input."""
        return self._ran([str(cached("kubectl")), *words], given)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command line in which kubectl uses this server."""
        return self._ran(["sh", "-c", line], None)

    def _ran(self, command: list[str], given: str | None) -> subprocess.CompletedProcess[str]:
        path = f"{Path(str(cached('kubectl'))).parent}:{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(
            command, env=env, input=given, capture_output=True, text=True, timeout=60, check=False
        )

    def _etcd_flags(self) -> list[str]:
        client = f"http://127.0.0.1:{self._etcd_port}"
        return [
            f"--data-dir={self.home}/etcd", f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}", f"--listen-peer-urls={self._peer_url}",
            f"--initial-advertise-peer-urls={self._peer_url}",
            f"--initial-cluster=default={self._peer_url}",
        ]  # fmt: skip

    def _server_flags(self) -> list[str]:
        key = f"{self.home}/service-accounts.key"
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}", f"--secure-port={self.port}",
            "--bind-address=127.0.0.1", f"--cert-dir={self.home}/certs",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self.home}/tokens.csv", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
            # The plugin needs the default service account, which no controller creates here.
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={self.home}/audit.json", f"--audit-log-path={self.audit_log}",
        ]  # fmt: skip

    def _run(self, program: str, *flags: str) -> subprocess.Popen[bytes]:
        with open(self.home / f"{program}.log", "ab") as log:
            return subprocess.Popen([str(cached(program)), *flags], stdout=log, stderr=log, cwd=self.home)

    def _write_kubeconfig(self) -> None:
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(json.dumps(config))


def end(process: subprocess.Popen[bytes] | None) -> None:
    """Terminate a process, and kill it if it does not end within 20 seconds."""
    if process:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _need(*programs: str) -> None:
    missing = [program for program in programs if cached(program) is None]
    if missing:
        raise ProgramMissing(
            f"{', '.join(missing)} not found in PATH or the node's cache: run `make node-up` once"
        )


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode()


@contextlib.contextmanager
def serving(home: Path) -> Iterator[ApiServer]:
    """Yield a running API server. Raises ProgramMissing if a program is missing."""
    _need(*PROGRAMS)
    server = ApiServer(home)
    try:
        server.start()
        yield server
    finally:
        server.close()


def take_feeds(server: ApiServer) -> None:
    """Install the project's CRD and wait until the server serves and explains feeds."""
    applied = server.kubectl("apply", "-f", str(CRD))
    if applied.returncode:
        raise AssertionError(applied.stderr)
    wait_until(lambda: server.request("GET", FEEDS)[0] == 200, "feeds are served")
    wait_until(
        lambda: server.kubectl("explain", "dsf.spec").returncode == 0, "kubectl explain knows the feeds"
    )


@contextlib.contextmanager
def controlling(server: ApiServer, home: Path) -> Iterator[None]:
    """Run kube-controller-manager for garbage collection, Deployments, ReplicaSets and StatefulSets.

    Raises ProgramMissing if the program is missing.
    """
    _need(CONTROLLERS)
    with open(home / "log", "ab") as log:
        process = subprocess.Popen(
            [
                str(cached(CONTROLLERS)), f"--kubeconfig={server.kubeconfig}", "--leader-elect=false",
                "--bind-address=127.0.0.1", f"--secure-port={free_port()}", f"--cert-dir={home}",
                "--controllers=garbage-collector-controller,deployment-controller,"
                "replicaset-controller,statefulset-controller",
            ],
            stdout=log, stderr=log, cwd=home,
        )  # fmt: skip
    try:
        yield
    finally:
        end(process)
