"""A real kube-apiserver with its etcd, alone: no kubelet, no controllers, loopback only, free ports.

`stop()` and `start()` take it away and bring it back with its data. Binaries are found in the cache that
`make node-up` fills, or in PATH.
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
# What service accounts ask for, in one line a call; the tests' own calls are not worth their writing.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}
PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
CONTROLLERS = "kube-controller-manager"


class ProgramMissing(Exception):
    """A program that runs the API server is nowhere on this machine; the text says how to get it."""


def cached(program: str) -> Path | None:
    """Where the program is: the node's cache first, since its versions are known; else PATH."""
    built = cache() / "bin" / program
    found = str(built) if built.is_file() else shutil.which(program)
    return Path(found) if found else None


class ApiServer:
    """etcd and kube-apiserver, kept under `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self._etcd_port, peer = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(16)
        self.ca_file = home / "certs/apiserver.crt"  # the server signs its own
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
        """Start what does not run and return once the server is ready."""
        if not self._etcd:
            self._etcd = self._run("etcd", *self._etcd_flags())
        if not self._server:
            self._server = self._run("kube-apiserver", *self._server_flags())
        wait_until(self.ready, f"kube-apiserver is ready; log {self.home}/kube-apiserver.log")
        self._write_kubeconfig()

    def stop(self) -> None:
        """Take the API server away; etcd and the data stay."""
        end(self._server)
        self._server = None

    def close(self) -> None:
        """End both."""
        self.stop()
        end(self._etcd)
        self._etcd = None

    def ready(self) -> bool:
        """Whether it takes requests."""
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def request(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        """One call as cluster admin: status code and the decoded answer. Raises OSError while it is away."""
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
        """Run kubectl against this server and no other; `given` is its standard input."""
        return self._ran([str(cached("kubectl")), *words], given)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line that somebody would paste into a shell where kubectl knows this server."""
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
            # Nothing here makes the default service account that pods would be given.
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
    """Ask a process to stop, and kill it if it does not."""
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
    """A running server. Raises ProgramMissing."""
    _need(*PROGRAMS)
    server = ApiServer(home)
    try:
        server.start()
        yield server
    finally:
        server.close()


def take_feeds(server: ApiServer) -> None:
    """Teach it our CRD and wait until it has learned it."""
    applied = server.kubectl("apply", "-f", str(CRD))
    if applied.returncode:
        raise AssertionError(applied.stderr)
    wait_until(lambda: server.request("GET", FEEDS)[0] == 200, "feeds are served")
    wait_until(
        lambda: server.kubectl("explain", "dsf.spec").returncode == 0, "kubectl explain knows the feeds"
    )


@contextlib.contextmanager
def controlling(server: ApiServer, home: Path) -> Iterator[None]:
    """kube-controller-manager: garbage collection, Deployments' and StatefulSets' status and pods.

    Raises ProgramMissing.
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
