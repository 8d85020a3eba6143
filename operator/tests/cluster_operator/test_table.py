"""What the operator remembers of watches and lists, whatever order they come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from deltastream_operator.cluster.watching.resync import resync
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing import merge


def body(uid: str, version: int, name: str = "a", **more: Any) -> dict[str, Any]:
    """An object of feed `a`."""
    labels = {"deltastream.dev/feed": "a"}
    metadata = {"name": name, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, **more}


@dataclass
class Listed:
    """An API server whose lists are of `version`, in pages of one object."""

    version: int
    feeds: tuple[dict[str, Any], ...] = ()
    enrichers: tuple[dict[str, Any], ...] = ()
    pods: tuple[dict[str, Any], ...] = ()

    async def pages(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        ours = "app.kubernetes.io/managed-by=deltastream-operator"
        assert query == ({} if "deltastreamfeeds" in path else {"labelSelector": ours})
        plural = path.rpartition("/")[2]
        found = {"deltastreamfeeds": self.feeds, "deployments": self.enrichers, "pods": self.pods}
        for page in [[body] for body in found.get(plural, ())] or [[]]:
            yield {"metadata": {"resourceVersion": str(self.version)}, "items": page}


def repaired(table: Table, listed: Listed) -> int:
    """Compare them; how many feeds' changes were missed."""
    return asyncio.run(resync(listed, table, "market"))  # type: ignore[arg-type]


def test_the_end_of_an_object_does_not_end_its_successor() -> None:
    """Rule: kopf tells of each uid apart, so DELETED may come after the successor's ADDED."""
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
    """Rule: gone feeds go, missed edits come, and both are visited."""
    table = Table()
    table.saw_feed("ADDED", body("1", 1, "gone"))
    table.saw_feed("ADDED", body("2", 2, "edited"))
    table.due.clear()
    assert repaired(table, Listed(9, feeds=(body("2", 7, "edited"), body("3", 8, "made")))) == 3
    assert table.feeds.keys() == {"edited", "made"}
    assert table.due == {"gone", "edited", "made"}


def test_a_list_does_not_take_away_what_came_after_it() -> None:
    """Rule: an answer may be older than what the watch told while it was on its way."""
    table = Table()
    table.saw_feed("ADDED", body("1", 12))
    table.saw_workload("ADDED", "enricher", body("2", 13, "a-enricher"))
    table.saw_pod("ADDED", body("3", 14, "a-enricher-x"))
    repaired(table, Listed(10))
    assert (len(table.feeds), len(table.workloads), len(table.pods["a"])) == (1, 1, 1)


def test_a_list_does_not_bring_back_what_ended_after_it() -> None:
    """Rule: what a watch told the end of while the list was on its way stays gone."""
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
    assert table._ended == set(), "a list that begins later cannot have it"


def test_a_feed_that_is_being_deleted_is_not_brought_back() -> None:
    """Rule: its deletionTimestamp is its end for us, whatever an older list says."""
    table = Table()
    table.saw_feed("ADDED", body("1", 5))
    ending = body("1", 11)
    ending["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    table.saw_feed("MODIFIED", ending)
    assert table.repair_feeds([body("1", 5)]) == 0
    assert table.feeds == {}


def test_the_answer_to_an_apply_does_not_bring_back_what_ended_meanwhile() -> None:
    """Rule: the watch may tell the end of a workload before our own write is answered."""
    table = Table()
    table.saw_workload("DELETED", "enricher", body("2", 12, "a-enricher"))
    table.saw_workload("MODIFIED", "enricher", body("2", 11, "a-enricher"))
    assert table.workloads == {}


def test_a_list_does_not_take_a_pod_back_to_what_it_was() -> None:
    """Rule: the newer version counts, of pods too: an old trouble would be told again."""
    table = Table()
    table.saw_pod("MODIFIED", body("1", 12, "a-enricher-x"))
    repaired(table, Listed(10, pods=(body("1", 9, "a-enricher-x"),)))
    assert table.pods["a"]["a-enricher-x"].version == 12


def test_a_feed_without_pods_leaves_nothing_behind() -> None:
    """Rule: feeds come and go for months."""
    table = Table()
    table.saw_pod("ADDED", body("1", 1, "a-enricher-x"))
    table.saw_pod("DELETED", body("1", 2, "a-enricher-x"))
    table.saw_pod("DELETED", body("2", 3, "a-enricher-y"))
    assert table.pods == {}
    table.saw_pod("ADDED", body("3", 4, "a-enricher-z"))
    repaired(table, Listed(9))
    assert table.pods == {}


def test_a_list_without_news_wakes_nobody() -> None:
    """Rule: 200 feeds are not visited all at once because they were compared."""
    table = Table()
    feed, enricher, pod = body("1", 1), body("2", 2, "a-enricher"), body("3", 3, "a-enricher-x")
    table.saw_feed("ADDED", feed)
    table.saw_workload("ADDED", "enricher", enricher)
    table.saw_pod("ADDED", pod)
    table.due.clear()
    assert repaired(table, Listed(9, feeds=(feed,), enrichers=(enricher,), pods=(pod,))) == 0
    assert table.due == set()


def test_pods_that_ended_unseen_are_forgotten() -> None:
    """Rule: the trouble of a pod that is gone would stand in the status for ever."""
    table = Table()
    table.saw_pod("ADDED", body("1", 1, "a-enricher-x"))
    repaired(table, Listed(5, pods=(body("2", 4, "a-enricher-y"), body("3", 4, "a-enricher-z"))))
    assert table.pods["a"].keys() == {"a-enricher-y", "a-enricher-z"}


def test_a_merge_patch_names_what_is_to_go() -> None:
    """Rule: what the patch does not name stays on the server."""
    old = {"last": {"to": 4, "limitedBy": "MaxReplicas"}, "list": [1, 2], "kept": 1, "gone": {"x": 1}}
    new = {"last": {"to": 3}, "list": [2], "kept": 1}
    assert merge.patch(old, new) == {
        "last": {"to": 3, "limitedBy": None},
        "list": [2],
        "kept": 1,
        "gone": None,
    }
