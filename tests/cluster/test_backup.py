"""Backup, restore drill and restore on a real node, with the chart's permissions and network policies."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from devcluster.kube import Cluster
from devcluster.release import NAME, install
from devcluster.waiting import wait_until

from tests.cluster.data import database, secret

pytestmark = pytest.mark.timeout(600)
BACKUP, DRILL, CLAIM = f"{NAME}-backup", f"{NAME}-restore-drill", f"{NAME}-backup"
OURS = f"--selector=app.kubernetes.io/instance={NAME},app.kubernetes.io/component in (backup, restore-drill)"
MARKED = "drilled"
CONNECT = f"timeout 5 bash -c '</dev/tcp/{NAME}-mongodb/27017'"


@pytest.fixture(scope="module")
def backed_up(system: Cluster) -> Iterator[Cluster]:
    """The release with backups enabled and some marked documents. Backups are disabled again afterwards."""
    install(system, "--set=backup.enabled=true", within="120s")
    with database(system) as stored:
        stored[MARKED].insert_many([{"_id": n, "text": "x" * n} for n in range(500)])
        stored[MARKED].create_index([("text", 1), ("_id", -1)])
    yield system
    with database(system) as stored:
        stored.drop_collection(MARKED)
    install(system, within="120s")
    system.kubectl("delete", "pvc", CLAIM)  # helm does not delete it
    wait_until(lambda: system.items("pods,jobs", OURS) == [], "no Job of it is left")


def _job(cluster: Cluster, cronjob: str, name: str, **changes: Any) -> tuple[bool, str]:
    """Run a Job by hand, as docs/backup.md says, with `changes` to its container or Secret.

    Returns whether it succeeded, and its log.
    """
    body = json.loads(
        cluster.kubectl("create", "job", name, f"--from=cronjob/{cronjob}", "--dry-run=client", "-o=json")
    )
    pod = body["spec"]["template"]["spec"]
    body["spec"]["backoffLimit"] = 0
    if "command" in changes:
        pod["containers"][0]["command"] = changes["command"]
    if "secret" in changes:
        (projected,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "secrets"]
        projected["sources"][0]["secret"]["name"] = changes["secret"]
    cluster.kubectl("create", "--filename=-", stdin=json.dumps(body))

    def verdicts() -> set[str]:
        conditions = cluster.get("job", name).get("status", {}).get("conditions", [])
        return {c["type"] for c in conditions if c["status"] == "True"} & {"Complete", "Failed"}

    wait_until(lambda: bool(verdicts()), f"Job {name} has ended", 120)
    succeeded, output = "Complete" in verdicts(), cluster.kubectl("logs", f"job/{name}")
    cluster.kubectl("delete", "job", name)
    return succeeded, output


def _connect(*, attempts: int) -> list[str]:
    """A command that prints "connected" as soon as MongoDB accepts a connection, or else "not connected"."""
    tries = f"for _ in $(seq {attempts}); do {CONNECT} && echo connected && exit; sleep 1; done"
    return ["bash", "-c", f"{tries}; echo not connected"]


def test_the_claim_is_bound_and_tested_when_the_release_is_installed(backed_up: Cluster) -> None:
    """If volumes wait for their first pod, only this Job binds the claim before the first backup at night."""
    assert backed_up.get("pvc", CLAIM)["status"]["phase"] == "Bound"
    jobs = [job["metadata"]["name"] for job in backed_up.items("jobs", OURS)]
    (tried,) = [job for job in jobs if job.startswith(f"{BACKUP}-claim-")]
    backed_up.kubectl("wait", f"job/{tried}", "--for=condition=Complete", "--timeout=60s")
    assert "can be written" in backed_up.kubectl("logs", f"job/{tried}")


def test_the_drill_of_a_dump_counts_the_documents_of_mongodb(backed_up: Cluster) -> None:
    with database(backed_up) as stored:
        there = {name: stored[name].count_documents({}) for name in stored.list_collection_names()}
    succeeded, output = _job(backed_up, BACKUP, "backup-now")
    assert succeeded, output
    assert f"{len(there)} collections, {sum(there.values())} documents" in output
    succeeded, output = _job(backed_up, DRILL, "drill-now")
    assert succeeded, output
    counted = dict(re.findall(r"^(\S+): (\d+) documents, .*: equal$", output, re.MULTILINE))
    assert {name: int(count) for name, count in counted.items()} == there
    assert there[MARKED] == 500
    assert f"all {len(there)} collections are equal" in output


def test_a_restore_brings_back_lost_documents(backed_up: Cluster) -> None:
    succeeded, output = _job(backed_up, BACKUP, "backup-before-loss")
    assert succeeded, output
    with database(backed_up) as stored:
        stored.drop_collection(MARKED)
        restore = ["bash", "/etc/deltastream/restore.sh"]
        succeeded, output = _job(backed_up, BACKUP, "restore-now", command=restore)
        assert succeeded, output
        assert stored[MARKED].count_documents({}) == 500
        assert set(stored[MARKED].index_information()) == {"_id_", "text_1__id_-1"}


def test_a_wrong_password_fails_the_job_in_one_line(backed_up: Cluster) -> None:
    url = secret(backed_up, f"{NAME}-mongodb")["mongo_url"].replace("@", "x@", 1)
    data = {"mongo_url": base64.b64encode(url.encode()).decode()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"}, "data": data}
    backed_up.apply(json.dumps(body))
    try:
        succeeded, output = _job(backed_up, BACKUP, "backup-refused", secret="wrong")
    finally:
        backed_up.kubectl("delete", "secret", "wrong")
    assert not succeeded
    (line,) = output.splitlines()
    assert line.startswith("backup failed: ")
    assert "Authentication failed" in line


def test_the_drill_cannot_reach_mongodb_and_the_backup_can(backed_up: Cluster) -> None:
    """The network policies apply to a new pod only after a moment, so both pods try more than once."""
    succeeded, output = _job(backed_up, BACKUP, "reach", command=_connect(attempts=30))
    assert (succeeded, output.splitlines()[-1]) == (True, "connected")
    succeeded, output = _job(backed_up, DRILL, "reach-not", command=_connect(attempts=8))
    assert (succeeded, output.splitlines()[-1]) == (True, "not connected")


def test_backups_are_kept_while_backups_are_disabled(backed_up: Cluster) -> None:
    """The old backups are there when backups are enabled again."""
    succeeded, output = _job(backed_up, BACKUP, "backup-kept")
    assert succeeded, output
    install(backed_up, within="120s")
    assert backed_up.items("cronjobs", OURS) == []
    assert backed_up.get("pvc", CLAIM)["status"]["phase"] == "Bound"
    install(backed_up, "--set=backup.enabled=true", within="120s")
    succeeded, output = _job(backed_up, DRILL, "drill-kept")
    assert succeeded, output
    assert "collections are equal" in output
