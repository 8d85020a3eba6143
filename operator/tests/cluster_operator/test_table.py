"""Test the table of objects: it is correct for watch events and lists in any order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from deltastream_operator.cluster.watching.resync import resync
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing import merge


def body(uid: str, version: int, name: str = "a", **more: Any) -> dict[str, Any]:
    """Return an object of feed `a`."""
    labels = {"deltastream.dev/feed": "a"}
    metadata = {"name": name, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, **more}


@dataclass
class Listed:
    """An API server whose lists have resource version `version` and one object in each page."""

    version: int
    feeds: tuple[dict[str, Any], ...] = ()
    enrichers: tuple[dict[str, Any], ...] = ()
    pods: tuple[dict[str, Any], ...] = ()

    async def pages(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        selector = "app.kubernetes.io/managed-by=deltastream-operator"
        assert query == ({} if "deltastreamfeeds" in path else {"labelSelector": selector})
        plural = path.rpartition("/")[2]
        found = {"deltastreamfeeds": self.feeds, "deployments": self.enrichers, "pods": self.pods}
        for page in [[body] for body in found.get(plural, ())] or [[]]:
            yield {"metadata": {"resourceVersion": str(self.version)}, "items": page}


def repaired(table: Table, listed: Listed) -> int:
    """Repair the table from the lists. Returns the number of feeds whose changes the watch had missed."""
    return asyncio.run(resync(listed, table, "market"))  # type: ignore[arg-type]


def test_a_late_deletion_does_not_remove_a_successor_of_the_same_name() -> None:
    """kopf handles each uid separately, so DELETED may come after the successor's ADDED."""
    table = Table()
    table.saw_feed("ADDED", body("old", 1))
    table.saw_feed("ADDED", body("new", 5))
    table.saw_feed("MODIFIED", body("old", 3))
    table.saw_feed("DELETED", body("old", 4))
    assert table.feeds["a"].body["metadata"]["uid"] == "new"
    table.saw_pod("ADDED", body("old", 1, "a-generator-0"))
    table.saw_pod("ADDED", body("new", 5, "a-generator-0"))
    table.saw_pod("DELETED", body("old", 4, "a-generator-0"))
    assert table.pods["a"]["a-generator-0"].uid == "new"


def test_a_list_repairs_what_the_watch_missed() -> None:
    """It removes deleted feeds and adds missed edits. The changed feeds become due."""
    table = Table()
    table.saw_feed("ADDED", body("1", 1, "gone"))
    table.saw_feed("ADDED", body("2", 2, "edited"))
    table.due.clear()
    assert repaired(table, Listed(9, feeds=(body("2", 7, "edited"), body("3", 8, "created")))) == 3
    assert table.feeds.keys() == {"edited", "created"}
    assert table.due == {"gone", "edited", "created"}


def test_a_list_does_not_remove_newer_objects() -> None:
    """The watch may deliver an object before the response to an earlier list arrives."""
    table = Table()
    table.saw_feed("ADDED", body("1", 12))
    table.saw_workload("ADDED", "enricher", body("2", 13, "a-enricher"))
    table.saw_pod("ADDED", body("3", 14, "a-enricher-x"))
    repaired(table, Listed(10))
    assert (len(table.feeds), len(table.workloads), len(table.pods["a"])) == (1, 1, 1)


def test_a_list_does_not_restore_objects_deleted_after_it() -> None:
    """The watch may deliver a deletion before the response to an earlier list arrives."""
    table = Table()
    objects = body("1", 5), body("2", 6, "a-enricher"), body("3", 7, "a-enricher-x")
    table.saw_feed("ADDED", objects[0])
    table.saw_workload("ADDED", "enricher", objects[1])
    table.saw_pod("ADDED", objects[2])
    table.begin_repair()
    table.saw_feed("DELETED", body("1", 11))
    table.saw_workload("DELETED", "enricher", body("2", 12, "a-enricher"))
    table.saw_pod("DELETED", body("3", 13, "a-enricher-x"))
    assert table.repair_feeds([objects[0]]) == 0
    table.repair_workloads("enricher", [objects[1]])
    table.repair_pods([objects[2]])
    assert (table.feeds, table.workloads, table.pods) == ({}, {}, {})
    table.begin_repair()
    assert table._ended == set(), "a list that is requested later cannot contain it"


def test_a_list_does_not_restore_a_feed_that_is_being_deleted() -> None:
    """The operator treats a feed with a deletionTimestamp as deleted. An older list shows it without one."""
    table = Table()
    table.saw_feed("ADDED", body("1", 5))
    ending = body("1", 11)
    ending["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    table.saw_feed("MODIFIED", ending)
    assert table.repair_feeds([body("1", 5)]) == 0
    assert table.feeds == {}


def test_the_response_to_an_apply_does_not_restore_a_deleted_workload() -> None:
    """The watch may deliver the deletion before the response to the operator's own write arrives."""
    table = Table()
    table.saw_workload("DELETED", "enricher", body("2", 12, "a-enricher"))
    table.saw_workload("MODIFIED", "enricher", body("2", 11, "a-enricher"))
    assert table.workloads == {}


def test_a_list_does_not_replace_a_pod_by_an_older_version() -> None:
    """An older version could report a problem that the pod no longer has."""
    table = Table()
    table.saw_pod("MODIFIED", body("1", 12, "a-enricher-x"))
    repaired(table, Listed(10, pods=(body("1", 9, "a-enricher-x"),)))
    assert table.pods["a"]["a-enricher-x"].version == 12


def test_a_feed_without_pods_has_no_entry() -> None:
    """The table must not grow while feeds are created and deleted for months."""
    table = Table()
    table.saw_pod("ADDED", body("1", 1, "a-enricher-x"))
    table.saw_pod("DELETED", body("1", 2, "a-enricher-x"))
    table.saw_pod("DELETED", body("2", 3, "a-enricher-y"))
    assert table.pods == {}
    table.saw_pod("ADDED", body("3", 4, "a-enricher-z"))
    repaired(table, Listed(9))
    assert table.pods == {}


def test_a_list_without_changes_makes_no_feed_due() -> None:
    """The comparison must not cause a reconciliation of all feeds."""
    table = Table()
    feed, enricher, pod = body("1", 1), body("2", 2, "a-enricher"), body("3", 3, "a-enricher-x")
    table.saw_feed("ADDED", feed)
    table.saw_workload("ADDED", "enricher", enricher)
    table.saw_pod("ADDED", pod)
    table.due.clear()
    assert repaired(table, Listed(9, feeds=(feed,), enrichers=(enricher,), pods=(pod,))) == 0
    assert table.due == set()


def test_a_list_removes_pods_whose_deletion_was_missed() -> None:
    """Otherwise the status would report a deleted pod's problem for ever."""
    table = Table()
    table.saw_pod("ADDED", body("1", 1, "a-enricher-x"))
    repaired(table, Listed(5, pods=(body("2", 4, "a-enricher-y"), body("3", 4, "a-enricher-z"))))
    assert table.pods["a"].keys() == {"a-enricher-y", "a-enricher-z"}


def test_a_merge_patch_sets_removed_fields_to_null() -> None:
    """The server keeps each field that the patch does not contain."""
    old = {"last": {"to": 4, "limitedBy": "MaxReplicas"}, "list": [1, 2], "kept": 1, "gone": {"x": 1}}
    new = {"last": {"to": 3}, "list": [2], "kept": 1}
    assert merge.patch(old, new) == {
        "last": {"to": 3, "limitedBy": None},
        "list": [2],
        "kept": 1,
        "gone": None,
    }
