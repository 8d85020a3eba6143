"""The same product without Helm: `kubectl apply -k` of an overlay, in the namespace that it brings along."""

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
    """The release's namespace while the release is away; it comes back with the test's end."""
    system.kubectl("delete", "namespace", NAME, "--timeout=180s", timeout=200)
    yield system
    system.kubectl("delete", f"--kustomize={OVERLAY}", "--ignore-not-found", "--timeout=180s", timeout=200)
    namespace(system, NAME)
    install(system, within="120s")


def test_an_overlay_is_applied_in_one_go_and_runs_a_feed(without_release: Cluster) -> None:
    """Twice: a second apply, with the Jobs done, is refused nothing and changes nothing that runs."""
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
    """How often the spec of each workload was changed."""
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["generation"]
        for item in cluster.items("deployments,statefulsets")
    }
