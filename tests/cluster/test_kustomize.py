"""The product without Helm: `kubectl apply -k` of an overlay, in the namespace that the overlay creates."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devcluster.kube import Cluster
from devcluster.release import NAME, ROOT, install, namespace

from tests.cluster.feeds import applied, feed, ready

pytestmark = pytest.mark.timeout(900)
OVERLAY = ROOT / "k8s" / "overlays" / "kind"


@pytest.fixture
def without_release(system: Cluster) -> Iterator[Cluster]:
    """The release's namespace with the release uninstalled. The release is installed again afterwards."""
    system.kubectl("delete", "namespace", NAME, "--timeout=180s", timeout=200)
    yield system
    system.kubectl("delete", f"--kustomize={OVERLAY}", "--ignore-not-found", "--timeout=180s", timeout=200)
    namespace(system, NAME)
    install(system, within="120s")


def test_an_overlay_is_applied_in_one_go_and_runs_a_feed(without_release: Cluster) -> None:
    """A second apply, after the Jobs have ended, succeeds and changes no workload."""
    cluster = without_release
    cluster.kubectl("apply", f"--kustomize={OVERLAY}")
    first = _generations(cluster)
    assert len(first) == 9
    for each in first:
        cluster.kubectl("rollout", "status", each, "--timeout=180s", timeout=200)
    with applied(cluster, feed("plain")) as name:
        ready(cluster, name)
    cluster.kubectl("apply", f"--kustomize={OVERLAY}")
    assert _generations(cluster) == first


def _generations(cluster: Cluster) -> dict[str, int]:
    """The generation of each workload: how often its spec changed."""
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["generation"]
        for item in cluster.items("deployments,statefulsets")
    }
