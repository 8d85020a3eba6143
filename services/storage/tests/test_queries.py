"""Queries use indexes, and they end in time if MongoDB is slow or unavailable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from devcluster.ports import free_port
from devcluster.processes.stores import MongoServer
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from tests.support.tokens import access_token
from werkzeug.test import Client

from storage.config import Settings, load
from storage.errors import QueryTimeout, StoreUnavailable
from storage.params import BarsQuery, ChainsQuery, PcrQuery, TicksQuery
from storage.queries import Store

Make = Callable[..., dict[str, Any]]


class Commands(CommandListener):
    """Records the commands that a client sends."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("find", "distinct", "aggregate"):
            wire = ("lsid", "$db", "$clusterTime", "$readPreference", "apiVersion", "readConcern")
            self.seen.append({name: value for name, value in event.command.items() if name not in wire})

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


@pytest.fixture
def commands(
    database: Database[dict[str, Any]], settings: Settings, make_document: Make
) -> Iterator[Commands]:
    """The commands of all queries of the store, on collections with documents."""
    for name in ("underlying_ticks", "option_quotes", "option_chains"):
        document = make_document(name)
        documents = [
            document | {"_id": number.to_bytes(12, "big"), "ts": document["ts"] + number, "product": product}
            for number, product in enumerate(["NIFTY", "BANKNIFTY"] * 500)
        ]
        if name == "option_chains":
            for number, chain in enumerate(documents):
                chain["expiry"] = ("2024-06-27", "2024-07-04", "2024-07-11")[number % 3]
        database[name].insert_many(documents)
    kept = Commands()
    with MongoClient(settings.mongo_url.get_secret_value(), event_listeners=[kept]) as client:
        store = Store(client.get_default_database(), query_timeout_ms=1234)
        store.products()
        store.expiries("NIFTY")
        store.ticks("NIFTY", TicksQuery())
        store.quotes("NIFTY20240627C23500", 100)
        for query in (ChainsQuery(), ChainsQuery(expiry="2024-06-27")):
            store.chains("NIFTY", query)
        store.pcr("NIFTY", PcrQuery())
        store.pcr("NIFTY", PcrQuery(expiry="2024-07-04"))
        store.bars("NIFTY", BarsQuery())
        yield kept


def explain(database: Database[dict[str, Any]], command: dict[str, Any]) -> dict[str, Any]:
    """Return MongoDB's execution statistics; of a pipeline, those of the stage that reads the collection."""
    if "pipeline" in command:
        command = command | {"cursor": {}}
    explained = database.command("explain", command, verbosity="executionStats")
    return explained["stages"][0]["$cursor"] if "stages" in explained else explained


def plans(database: Database[dict[str, Any]], command: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stages of the winning plan, outermost first."""
    plan = explain(database, command)["queryPlanner"]["winningPlan"]
    stages = []
    while plan:
        stages.append(plan)
        plan = plan.get("inputStage")
    return stages


def test_every_query_has_a_time_limit(commands: Commands) -> None:
    """Each query has maxTimeMS, so MongoDB aborts it."""
    assert len(commands.seen) == 10
    assert {command.get("maxTimeMS") for command in commands.seen} == {1234}


def test_every_page_has_a_limit(commands: Commands) -> None:
    """In MongoDB limit(0) means no limit, so it is never sent."""
    assert all(command["limit"] >= 1 for command in commands.seen if "find" in command)


def test_distinct_values_cost_a_seek_each(commands: Commands, database: Database[dict[str, Any]]) -> None:
    """/products and /expiries seek in an index and do not read a month of ticks."""
    asked = [command for command in commands.seen if {"distinct", "aggregate"} & set(command)]
    assert len(asked) == 3
    for command in asked:
        assert plans(database, command)[-1]["stage"] == "DISTINCT_SCAN"
        spent = explain(database, command)["executionStats"]
        assert 2 <= spent["totalKeysExamined"] <= 4
        assert spent["totalDocsExamined"] == 0


def test_pages_are_read_from_an_index_in_order(
    commands: Commands, database: Database[dict[str, Any]]
) -> None:
    """Pages need no collection scan and no sort in memory."""
    for command in commands.seen:
        if "find" in command:
            stages = [stage["stage"] for stage in plans(database, command)]
            assert "IXSCAN" in stages, command
            assert not {"COLLSCAN", "SORT"} & set(stages), command


def test_ratios_are_read_from_the_index_alone(commands: Commands, database: Database[dict[str, Any]]) -> None:
    """The indexes cover the history of ratios, so MongoDB reads no chain."""
    asked = [command for command in commands.seen if "pcr_oi" in command.get("projection", {})]
    assert len(asked) == 2
    for command in asked:
        explained = explain(database, command)
        assert explained["executionStats"]["totalDocsExamined"] == 0


def test_a_limit_of_zero_is_never_passed_on(database: Database[dict[str, Any]]) -> None:
    """A missing validation raises an error and does not read the whole collection."""
    with pytest.raises(ValueError, match="positive"):
        Store(database, query_timeout_ms=1000).quotes("X", 0)


class FailingMongo(MongoServer):
    """A mongod with fail points."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--setParameter", "enableTestCommands=1"]


def test_a_query_timeout_differs_from_an_outage(tmp_path: Path) -> None:
    """A query at its time limit raises QueryTimeout; an outage or a refusal raises StoreUnavailable."""
    with (
        FailingMongo(tmp_path / "mongo") as server,
        MongoClient(server.url, serverSelectionTimeoutMS=500, retryReads=False) as client,
    ):
        store = Store(client.get_default_database(), query_timeout_ms=1000)
        for code, expected in ((50, QueryTimeout), (13, StoreUnavailable)):
            fail = {"failCommands": ["find"], "errorCode": code}
            client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail)
            with pytest.raises(expected):
                store.quotes("NIFTY20240627C23500", 1)
        assert store.quotes("NIFTY20240627C23500", 1) == []
        server.kill()
        with pytest.raises(StoreUnavailable):
            store.quotes("NIFTY20240627C23500", 1)


def test_an_unavailable_mongodb_gives_503(make_client: Callable[..., Client]) -> None:
    """The response is 503 `store_unavailable`; the service is not ready, but alive."""
    client = make_client(mongo_url=SecretStr(f"mongodb://127.0.0.1:{free_port()}/deltastream"))
    answer = client.get("/products", headers={"Authorization": f"Bearer {access_token('storage')}"})
    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").json["checks"] == {"mongo": "unavailable"}
    assert client.get("/livez").status_code == 200


def test_ready_means_that_mongodb_answers(make_client: Callable[..., Client]) -> None:
    """/health is an alias of /readyz, and probes need no token."""
    client = make_client()
    for path in ("/readyz", "/health"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["checks"]) == (200, {"mongo": "ok"})
    assert b"storage_requests" in client.get("/metrics").data


def test_a_secret_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MONGO_URL_FILE names the file and takes precedence over MONGO_URL."""
    (tmp_path / "url").write_text("mongodb://from-file/deltastream\n")
    monkeypatch.setenv("MONGO_URL", "mongodb://from-environment/deltastream")
    monkeypatch.setenv("MONGO_URL_FILE", str(tmp_path / "url"))
    assert load().mongo_url.get_secret_value() == "mongodb://from-file/deltastream"


def test_a_bad_setting_is_named_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names the variable and the rule, and does not show the secret."""
    monkeypatch.setenv("MONGO_URL", "postgres://user:hidden@host/")
    with pytest.raises(SystemExit) as ended:
        load()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "MONGO_URL=(secret): must be a mongodb:// or mongodb+srv:// URL\n"
