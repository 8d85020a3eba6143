"""The one-node cluster starts, does not touch its host, reports why it failed, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster.kube import Cluster, Refused, ours
from devcluster.node import cgroups
from devcluster.node.errors import NodeError
from devcluster.node.machine import Machine
from devcluster.node.paths import SOURCE, NodePaths
from devcluster.tools import helm, kubectl
from devcluster.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # a start may take 120 s, and one test needs two


@pytest.fixture(scope="module")
def bare(able: None) -> Iterator[Machine]:
    """A separate node without images and DNS. The other fixtures decide whether it runs."""
    made = Machine(NodePaths("bare"))
    made.down()  # remains of a killed run
    yield made
    made.down()


@pytest.fixture
def machine(bare: Machine) -> Machine:
    """The node before its start. A test may leave it running for the next test."""
    bare.down()
    return bare


@pytest.fixture
def running_machine(bare: Machine) -> Machine:
    """A running node for tests that only read from it. It may be one that an earlier test left running."""
    if not bare.running:
        bare.up([], _quiet)
    return bare


@pytest.fixture
def doomed_machine(running_machine: Machine) -> Iterator[Machine]:
    """A running node for a test that destroys it. No later test uses it."""
    yield running_machine
    running_machine.down()


def _quiet(_: str) -> None:
    pass


def _host() -> dict[str, object]:
    """The state of the host that a node could change."""
    config = Path.home() / ".kube" / "config"
    return {
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "routes": Path("/proc/net/route").read_text(),
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "kubeconfig": hashlib.sha256(config.read_bytes()).hexdigest() if config.exists() else None,
    }


def _processes(namespace: str) -> list[str]:
    """The names of the processes in a pid namespace."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns" / "pid") == namespace:
                found.append((entry / "comm").read_text().strip())
        except OSError:
            continue
    return found


def test_a_node_is_ready_touches_nothing_of_its_host_and_one_signal_removes_it(machine: Machine) -> None:
    """The node becomes Ready. After the signal no process, mount, interface or cgroup of it is left."""
    before = _host()
    machine.up([], _quiet)
    cluster = Cluster(machine.paths.kubeconfig, kubectl(), helm())
    conditions = {c["type"]: c["status"] for c in cluster.get("node", "ds-node")["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert _host() == before
    namespace = os.readlink(f"/proc/{machine.init_pid}/ns/pid")
    assert {"etcd", "kubelet", "containerd"} <= set(_processes(namespace))

    machine.down()
    wait_until(lambda: _processes(namespace) == [], "no process of the node is left")
    assert _host() == before
    assert not list(cgroups.ROOT.rglob(machine.paths.cgroup))
    with pytest.raises(Refused):
        cluster.kubectl("get", "--raw=/readyz", "--request-timeout=2s")


def test_a_node_starts_again_empty_after_it_was_stopped(machine: Machine) -> None:
    """The second start works like the first and finds no data of it."""
    for _ in range(2):
        machine.down()
        machine.up([], _quiet)
        cluster = Cluster(machine.paths.kubeconfig, kubectl(), helm())
        assert "leftover" not in cluster.kubectl("get", "configmaps", "--output=name")
        cluster.kubectl("create", "configmap", "leftover")


def test_a_running_node_is_not_started_twice(running_machine: Machine) -> None:
    """A second start would share state with the first."""
    with pytest.raises(NodeError, match="running already"):
        running_machine.up([], _quiet)


def test_tests_refuse_a_cluster_that_they_did_not_create(running_machine: Machine) -> None:
    """`node-up` and `kind-up` put a marker into the cluster. This bare node has none."""
    with pytest.raises(Refused, match="was not created by"):
        ours(Cluster(running_machine.paths.kubeconfig, kubectl(), helm()))


def test_a_connection_into_the_node_ends_with_it(doomed_machine: Machine) -> None:
    """A client that waits for an answer sees the connection close."""
    cluster = Cluster(doomed_machine.paths.kubeconfig, kubectl(), helm())
    server = cluster.kubectl("config", "view", "--output=jsonpath={.clusters[0].cluster.server}")
    subprocess.run(doomed_machine.inside(["pkill", "--signal=STOP", "--exact", "kube-apiserver"]), check=True)
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(b"anybody there?")
        doomed_machine.down()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_a_component_that_ends_stops_the_node_and_is_named(
    doomed_machine: Machine,
) -> None:
    """A cluster that lost a component must fail at once instead of timing out."""
    # SIGKILL, because etcd closes its connections on SIGTERM, and another component could end before it.
    # check=False, because the node may end pkill too. The verdict shows whether the kill worked.
    subprocess.run(doomed_machine.inside(["pkill", "--signal=KILL", "--exact", "etcd"]), check=False)
    wait_until(lambda: not doomed_machine.running, "the node is gone")
    assert doomed_machine.paths.verdict.read_text().startswith("etcd ended with status")


def test_a_node_that_cannot_start_names_the_failed_component_and_leaves_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this test the kubelet refuses its configuration file."""
    broken = machine.paths.state.parent / "broken-source"
    subprocess.run(["rm", "-rf", str(broken)], check=True)
    subprocess.run(["cp", "-r", str(SOURCE), str(broken)], check=True)
    (broken / "etc" / "kubelet.yaml").write_text("kind: Nonsense\n")
    monkeypatch.setattr("devcluster.node.machine.SOURCE", broken)
    with pytest.raises(NodeError, match=r"kubelet ended with status 1(.|\n)*Nonsense"):
        machine.up([], _quiet)
    assert not machine.running
    assert not list(cgroups.ROOT.rglob(machine.paths.cgroup))


def test_a_recorded_pid_that_another_process_reuses_is_not_killed(machine: Machine) -> None:
    """Process ids are reused, so the start time identifies the process."""
    machine.paths.state.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["sleep", "60"]) as other:
        machine.paths.pids.write_text(json.dumps({"pid": other.pid, "started": 1}))
        assert not machine.running
        machine.down()
        assert other.poll() is None
        other.send_signal(signal.SIGKILL)
