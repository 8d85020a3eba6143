"""The product without Helm: `kubectl apply -k` of an overlay, in the namespace that the overlay creates.

The overlay takes the place of the release. By its name this module is the last of its folder, so no later
test needs the release.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devcluster.kube import Cluster
from devcluster.release import NAME, ROOT

from tests.cluster.feeds import applied, feed, ready

pytestmark = pytest.mark.timeout(900)
OVERLAY = ROOT / "k8s" / "overlays" / "kind"


@pytest.fixture
def without_release(system: Cluster) -> Iterator[Cluster]:
    """The release's namespace after the release and the namespace were deleted."""
    # A namespace with pods waits half of their longest grace period before it looks at them again: 30 s.
    system.kubectl("delete", "deployments,statefulsets", "--all", "--cascade=foreground", "--timeout=110s")
    system.kubectl("delete", "namespace", NAME, "--timeout=180s", timeout=200)
    yield system
    system.kubectl("delete", f"--kustomize={OVERLAY}", "--ignore-not-found", "--wait=false")


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
