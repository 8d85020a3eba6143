"""`python -m storage migrate` creates and updates the schema."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from storage.config import Settings
from storage.migrate import migrate

HERE = Path(__file__).parents[1]
DAY_S = 86_400


def run(mongo_url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process, as an administrator does."""
    variables = {"PATH": os.environ["PATH"], "MONGO_URL": mongo_url, **environment}
    command = [sys.executable, "-m", "storage", "migrate"]
    return subprocess.run(
        command, cwd=HERE, env=variables, capture_output=True, text=True, timeout=90, check=False
    )


def test_the_command_prints_what_it_changed_and_a_second_run_changes_nothing(mongo_url: str) -> None:
    """The migration is idempotent, so it can run at every deployment."""
    first, second = run(mongo_url), run(mongo_url)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "underlying_ticks: created" in first.stdout
    assert "option_chains.product_expiry_ts: created" in first.stdout
    assert second.stdout == "nothing to change\n"


def test_a_wrong_setting_stops_the_command_with_one_line(mongo_url: str) -> None:
    """The line names the variable, the value and the rule."""
    ended = run(mongo_url, TICKS_RETENTION_DAYS="0")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("TICKS_RETENTION_DAYS='0': ")


def test_every_collection_is_there_and_logs_is_capped(database: Database[dict[str, Any]]) -> None:
    """All collections exist, so that no write creates one with wrong options."""
    found = {each["name"]: each["options"] for each in database.list_collections()}
    assert set(found) == {
        "underlying_ticks",
        "option_quotes",
        "option_chains",
        "ohlc_bars",
        "users",
        "refresh_tokens",
        "logs",
    }
    assert found["logs"]["capped"]
    assert found["logs"]["size"] == 64 << 20


def test_retention_counts_from_when_a_document_was_stored(database: Database[dict[str, Any]]) -> None:
    """With event times, MongoDB would delete the replay of an old recording immediately."""
    found = {}
    for name in ("underlying_ticks", "option_quotes", "option_chains", "ohlc_bars", "refresh_tokens"):
        index = database[name].index_information()["retention"]
        found[name] = (index["key"], index["expireAfterSeconds"])
    assert found == {
        "underlying_ticks": ([("processed_at", 1)], 30 * DAY_S),
        "option_quotes": ([("processed_at", 1)], 7 * DAY_S),
        "option_chains": ([("processed_at", 1)], 30 * DAY_S),
        "ohlc_bars": ([("updated_at", 1)], 400 * DAY_S),
        "refresh_tokens": ([("expires_at", 1)], 0),
    }


def test_a_changed_retention_is_applied_to_the_existing_index(
    database: Database[dict[str, Any]], settings: Settings
) -> None:
    """collMod changes the retention without the cost of a rebuild of the index."""
    changed = settings.model_copy(update={"quotes_retention_days": 3})
    assert list(migrate(database, changed)) == [
        f"option_quotes.retention: expires after {3 * DAY_S} s instead of {7 * DAY_S} s"
    ]
    assert database.option_quotes.index_information()["retention"]["expireAfterSeconds"] == 3 * DAY_S
    assert list(migrate(database, changed)) == []


def test_an_index_with_other_keys_is_replaced(database: Database[dict[str, Any]], settings: Settings) -> None:
    """An index of an older release with the same name is replaced."""
    database.underlying_ticks.drop_index("product_ts")
    database.underlying_ticks.create_index([("product", 1), ("timestamp", -1)], name="product_ts")
    assert list(migrate(database, settings)) == [
        "underlying_ticks.product_ts: dropped, its definition has changed",
        "underlying_ticks.product_ts: created",
    ]
    assert database.underlying_ticks.index_information()["product_ts"]["key"] == [("product", 1), ("ts", -1)]


def test_an_index_without_a_ttl_gets_one(database: Database[dict[str, Any]], settings: Settings) -> None:
    """Retention is enforced even if an index without a TTL has its name."""
    database.ohlc_bars.drop_index("retention")
    database.ohlc_bars.create_index("updated_at", name="retention")
    list(migrate(database, settings))
    assert database.ohlc_bars.index_information()["retention"]["expireAfterSeconds"] == 400 * DAY_S


def test_logs_that_were_written_before_the_migration_become_capped(
    mongo_url: str, settings: Settings, database: Database[dict[str, Any]]
) -> None:
    """`logs` is bounded even if a write has created it first."""
    database.logs.drop()
    database.logs.insert_one({"message": "early"})
    assert list(migrate(database, settings)) == [f"logs: converted to capped, {64 << 20} bytes"]
    assert database.logs.count_documents({}) == 1


def test_a_changed_size_of_the_logs_is_applied(
    database: Database[dict[str, Any]], settings: Settings
) -> None:
    """The size of `logs` is a setting."""
    changed = settings.model_copy(update={"logs_max_mib": 16})
    assert list(migrate(database, changed)) == [f"logs: capped at {16 << 20} bytes instead of {64 << 20}"]
    assert list(migrate(database, changed)) == []


def test_documents_survive_a_migration(
    database: Database[dict[str, Any]], settings: Settings, make_document: Callable[..., dict[str, Any]]
) -> None:
    """A migration deletes no documents."""
    database.underlying_ticks.insert_one(make_document("underlying_ticks"))
    list(migrate(database, settings.model_copy(update={"ticks_retention_days": 3650})))
    assert database.underlying_ticks.count_documents({}) == 1


def test_an_email_address_belongs_to_one_account(
    database: Database[dict[str, Any]], make_document: Callable[..., dict[str, Any]]
) -> None:
    """An email address belongs to at most one account."""
    database.users.insert_one(make_document("users"))
    with pytest.raises(DuplicateKeyError):
        database.users.insert_one(make_document("users", _id="1" * 32))


def test_refresh_tokens_are_found_by_family(database: Database[dict[str, Any]]) -> None:
    """Revoking a family uses an index and does not read all tokens."""
    plan = database.refresh_tokens.find({"family": "ab"}).explain()["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["indexName"] == "family"
