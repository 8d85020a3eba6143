"""Process 1 of the node: start every component in order, and report whether the node is Ready.

Runs with the node's own Python, so it uses the standard library only. The result goes to the file `verdict`.
If a component ends, the node stops and the verdict has the end of the component's log. A test then fails at
once instead of waiting for a broken cluster.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

STATE = Path("/var/lib/node")
PKI = STATE / "pki"
NODE, ADDRESS = "ds-node", "10.99.0.2"
PODS, SERVICES = "10.244.0.0/16", "10.96.0.0/16"
API = "https://127.0.0.1:6443"
CTR = ("ctr", "-a", "/run/containerd/containerd.sock", "-n", "k8s.io")
ETCD = (
    "etcd",
    "--data-dir=/run/etcd",
    "--unsafe-no-fsync",
    "--listen-client-urls=http://127.0.0.1:2379",
    "--advertise-client-urls=http://127.0.0.1:2379",
    "--listen-peer-urls=http://127.0.0.1:2380",
)
API_SERVER = (
    "/opt/bin/kube-apiserver",
    "--etcd-servers=http://127.0.0.1:2379",
    f"--service-cluster-ip-range={SERVICES}",
    f"--advertise-address={ADDRESS}",
    "--bind-address=0.0.0.0",
    "--secure-port=6443",
    f"--tls-cert-file={PKI}/apiserver.crt",
    f"--tls-private-key-file={PKI}/apiserver.key",
    f"--client-ca-file={PKI}/ca.crt",
    f"--service-account-key-file={PKI}/service-accounts.pub",
    f"--service-account-signing-key-file={PKI}/service-accounts.key",
    "--service-account-issuer=https://kubernetes.default.svc",
    f"--kubelet-client-certificate={PKI}/apiserver-kubelet.crt",
    f"--kubelet-client-key={PKI}/apiserver-kubelet.key",
    f"--kubelet-certificate-authority={PKI}/ca.crt",
    "--kubelet-preferred-address-types=InternalIP",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
)
CONTROLLERS = (
    "/opt/bin/kube-controller-manager",
    f"--kubeconfig={STATE}/admin.kubeconfig",
    f"--service-account-private-key-file={PKI}/service-accounts.key",
    f"--root-ca-file={PKI}/ca.crt",
    "--use-service-account-credentials",
    "--leader-elect=false",
    f"--cluster-cidr={PODS}",
    "--allocate-node-cidrs",
)
SCHEDULER = ("/opt/bin/kube-scheduler", f"--kubeconfig={STATE}/admin.kubeconfig", "--leader-elect=false")
KUBELET = (
    "/opt/bin/kubelet",
    "--config=/opt/node/etc/kubelet.yaml",
    f"--kubeconfig={STATE}/kubelet.kubeconfig",
    f"--node-ip={ADDRESS}",
    f"--hostname-override={NODE}",
)
PROXY = (
    "/opt/bin/kube-proxy",
    f"--kubeconfig={STATE}/admin.kubeconfig",
    f"--cluster-cidr={PODS}",
    "--proxy-mode=iptables",
    f"--hostname-override={NODE}",
    "--conntrack-max-per-core=0",  # do not resize the host's conntrack table
)
POLICIES = (
    "/opt/bin/kube-router",
    f"--kubeconfig={STATE}/admin.kubeconfig",
    f"--hostname-override={NODE}",
    "--run-router=false",
    "--run-service-proxy=false",
    "--run-firewall=true",
    "--run-loadbalancer=false",
    f"--service-cluster-ip-range={SERVICES}",
    "--health-port=0",
    "--metrics-port=0",
)


class Failed(Exception):
    """The node cannot start or continue. The text goes to the file `verdict`, which the host reads."""


class Components:
    """The running components by name."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: tuple[str, ...]) -> None:
        with (STATE / "log" / f"{name}.log").open("wb") as log:
            environment = {**os.environ, "NODE_NAME": NODE}
            self._running[name] = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)

    def check(self) -> None:
        """Raises Failed if a component has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise Failed(
                    f"{name} ended with status {process.returncode}; the end of its log:\n{_tail(name)}"
                )

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until the condition is true. Raises Failed if a component ends or after `seconds`."""
        until = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > until:
                raise Failed(
                    f"timed out after {seconds:.0f} s, waiting until {what}; "
                    f"see the logs of {', '.join(self._running)}"
                )
            time.sleep(0.1)

    def reap(self) -> None:
        """Collect ended processes forever, since process 1 inherits every orphan.

        Raises Failed when a component ends.
        """
        pids = {process.pid: name for name, process in self._running.items()}
        while True:
            pid, status = os.wait()
            if pid in pids:
                code = os.waitstatus_to_exitcode(status)
                raise Failed(f"{pids[pid]} ended with status {code}; the end of its log:\n{_tail(pids[pid])}")


def _tail(name: str) -> str:
    lines = (STATE / "log" / f"{name}.log").read_text(errors="replace").splitlines()
    return "\n".join(f"  {line[:300]}" for line in lines[-8:])


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")


def network() -> None:
    """Create the node's network interface and routes. A bridge, since some kernels have no dummy device."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "node0", "type", "bridge")
    _run("ip", "address", "add", f"{ADDRESS}/24", "dev", "node0")
    _run("ip", "link", "set", "node0", "up")
    _run("ip", "route", "add", "default", "via", "10.99.0.1", "dev", "node0")
    for key in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"):
        try:
            Path("/proc/sys", key).write_text("1")
        except OSError as error:
            raise Failed(
                f"/proc/sys/{key} cannot be set ({error.strerror}); check that br_netfilter is loaded"
            ) from error


def import_images() -> None:
    """Import every archive in `images/` that containerd has not imported yet."""
    for archive in sorted((STATE / "images").glob("*.tar")):
        stamp = STATE / "containerd" / f"imported.{archive.name}"
        mark = str(archive.stat().st_mtime_ns)
        if not stamp.exists() or stamp.read_text() != mark:
            _run(*CTR, "images", "import", str(archive))
            stamp.write_text(mark)


def _containerd_answers() -> bool:
    return subprocess.run([*CTR, "version"], capture_output=True, check=False).returncode == 0


def _get(path: str) -> bytes | None:
    context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
    context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")
    try:
        with urllib.request.urlopen(API + path, context=context, timeout=5) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def _node() -> dict[str, str]:
    """Return the node's conditions in the API server; empty while the Node object does not exist."""
    body = _get(f"/api/v1/nodes/{NODE}")
    if body is None:
        return {}
    conditions = json.loads(body).get("status", {}).get("conditions", [])
    return {"Exists": "True", **{condition["type"]: condition["status"] for condition in conditions}}


def start(components: Components, cgroup: str) -> None:
    """Start every component and wait until the node is Ready. Raises Failed if it does not become Ready."""
    network()
    components.start("etcd", ETCD)
    components.start("kube-apiserver", API_SERVER)
    components.start("containerd", ("containerd", "-c", "/opt/node/etc/containerd.toml"))
    components.wait_for("containerd answers", _containerd_answers, 30)
    import_images()
    components.wait_for("the API server is ready", lambda: _get("/readyz") is not None, 60)
    components.start("kube-controller-manager", CONTROLLERS)
    components.start("kube-scheduler", SCHEDULER)
    components.start("kubelet", (*KUBELET, f"--cgroup-root=/{cgroup}"))
    components.start("kube-proxy", PROXY)
    components.wait_for("the kubelet registers the node", lambda: "Exists" in _node(), 60)
    components.start("kube-router", POLICIES)  # exits if its Node object does not exist
    components.wait_for("the node is Ready", lambda: _node().get("Ready") == "True", 60)


def main() -> int:
    """Run until a component ends, then return 1. The kernel kills all other processes when process 1 ends."""
    components = Components()
    socket.sethostname(NODE)
    verdict = STATE / "verdict"
    try:
        start(components, os.environ["NODE_CGROUP"])
        verdict.write_text("ready")
        components.reap()
    except Failed as failure:
        verdict.write_text(str(failure))
    return 1


if __name__ == "__main__":
    sys.exit(main())
