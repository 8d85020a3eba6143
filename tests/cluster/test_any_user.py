"""The release as OpenShift runs it: every pod runs as a user without a name, in the group root."""

from __future__ import annotations

import pytest
from devcluster.kube import Cluster
from devcluster.release import NAME, install, namespace, smoke

pytestmark = pytest.mark.timeout(600)
# OpenShift's restricted-v2 gives such an id to pods that name no user. No image has an entry for it.
USER = 1_000_700_000
GIVEN = f'--set-json=podSecurityContext={{"runAsUser":{USER},"runAsGroup":null,"fsGroup":{USER}}}'
DEPLOYMENTS = (
    "analytics",
    "api-gateway",
    "auth",
    "logging-service",
    "operator",
    "socket-gateway",
    "storage",
)


def test_everything_works_as_a_user_that_no_image_knows(cluster: Cluster) -> None:
    """This covers hooks, stores, services, the operator, and the feed of `helm test` with its pods."""
    own = namespace(cluster, "any-user")
    try:
        install(own, GIVEN)
        workloads = [f"deployment/{NAME}-{each}" for each in DEPLOYMENTS]
        workloads += [f"statefulset/{NAME}-{each}" for each in ("redis", "mongodb")]
        for workload in workloads:
            ids = own.kubectl("exec", workload, "--", "sh", "-c", "id -u; id -g").split()
            assert ids == [str(USER), "0"], workload
        assert "23400" in smoke(own)
    finally:
        own.kubectl("delete", "dsf", "--all", "--ignore-not-found", timeout=180)
        own.helm("uninstall", NAME, "--wait", "--ignore-not-found", "--timeout=120s")
        cluster.kubectl("delete", "namespace", "any-user", "--wait=false")
