"""The scripts of files/backup against a real mongod, with mongodump and mongorestore from their Go module."""

from __future__ import annotations

import gzip
import os
import resource
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.stores import PASSWORD
from pymongo import MongoClient
from pymongo.database import Database

from tests.support import needs
from tests.support.backups import Backups, summed

pytestmark = pytest.mark.timeout(300)  # the first run builds the tools
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def able() -> None:
    """Skip the test with the reason if the tools cannot be built here; with CI=true, fail it."""
    needs.go("mongodump and mongorestore")


@pytest.fixture
def database(able: None, mongo_url: str) -> Iterator[Database[dict[str, Any]]]:
    """A database like the product's: unique and compound indexes, and documents that have already expired."""
    with MongoClient[dict[str, Any]](mongo_url) as client:
        made = client["deltastream"]
        ticks = [{"_id": f"f:{n}", "product": "NIFTY", "seq": n, "at": LONG_AGO} for n in range(2500)]
        made["accounts"].insert_one({"email": "desk@example.com"})
        made["accounts"].create_index("email", unique=True)
        made.create_collection("audit", capped=True, size=4096)
        made["ticks"].insert_many(ticks)
        made["ticks"].create_index([("product", 1), ("at", -1)], partialFilterExpression={"seq": {"$gt": 5}})
        # So long that this mongod's TTL monitor deletes nothing. The drill's mongod runs without the monitor.
        made["ticks"].create_index("at", expireAfterSeconds=2_000_000_000)
        yield made


@pytest.fixture
def backups(database: Database[dict[str, Any]], mongo_url: str, tmp_path: Path) -> Backups:
    return Backups(tmp_path, mongo_url)


def _one_line(output: str) -> str:
    (line,) = output.splitlines()
    return line


def test_a_dump_reports_its_content_and_the_drill_finds_all_of_it(backups: Backups) -> None:
    code, output = backups.run("backup.sh")
    assert code == 0, output
    assert "3 collections, 2501 documents" in _one_line(output)
    code, output = backups.run("drill.sh")
    assert code == 0, output
    *collections, verdict = output.splitlines()
    assert [line.partition(" bytes")[0].rpartition(",")[0] for line in sorted(collections)] == [
        "accounts: 1 documents",
        "audit: 0 documents",
        "ticks: 2500 documents",
    ]
    assert all(line.endswith(": equal") for line in collections)
    assert "3 indexes" in output
    assert verdict == f"restore drill of {backups.names()[0]}: all 3 collections are equal"


def test_the_drill_counts_expired_documents(backups: Backups, database: Database[dict[str, Any]]) -> None:
    """If the drill's mongod deleted expired documents, every drill of an old dump would fail."""
    backup = backups.made()
    metadata = backup / "dump" / "deltastream" / "ticks.metadata.json.gz"
    text = gzip.decompress(metadata.read_bytes()).replace(b"2000000000", b"1")
    metadata.write_bytes(gzip.compress(text))
    summed(backup)
    code, output = backups.run("drill.sh")
    assert code == 0, output
    assert "ticks: 2500 documents" in output


def test_a_restore_brings_back_changed_and_dropped_collections(
    backups: Backups, database: Database[dict[str, Any]]
) -> None:
    """The restore undoes changes and drops. A collection that is newer than the backup stays."""
    backup = backups.made()
    database["ticks"].delete_many({"seq": {"$lt": 1000}})
    database["ticks"].insert_one({"_id": "later"})
    database.drop_collection("accounts")
    database["new"].insert_one({})
    code, output = backups.run("restore.sh", backup.name)
    assert (code, _one_line(output)) == (0, f"restore of {backup.name}: 2501 documents restored")
    assert database["ticks"].count_documents({}) == 2500
    assert set(database["accounts"].index_information()) == {"_id_", "email_1"}
    assert database["new"].count_documents({}) == 1


@pytest.mark.parametrize("path", ["ticks.bson.gz", "accounts.metadata.json.gz"])
@pytest.mark.parametrize("script", ["drill.sh", "restore.sh"])
def test_a_truncated_or_missing_file_is_named_before_anything_is_restored(
    backups: Backups, database: Database[dict[str, Any]], path: str, script: str
) -> None:
    backup = backups.made()
    file = backup / "dump" / "deltastream" / path
    if "ticks" in path:
        file.write_bytes(file.read_bytes()[:-20])
    else:
        file.unlink()
    database["ticks"].delete_many({})
    code, output = backups.run(script)
    assert code == 1
    line = _one_line(output)
    assert f"backup {backup.name} is damaged: " in line
    assert f"./dump/deltastream/{path}: " in line
    assert database["ticks"].count_documents({}) == 0


def test_a_truncated_file_whose_checksum_fits_is_found_by_restoring_it(backups: Backups) -> None:
    backup = backups.made()
    file = backup / "dump" / "deltastream" / "ticks.bson.gz"
    file.write_bytes(file.read_bytes()[:-20])
    summed(backup)
    code, output = backups.run("drill.sh")
    assert code == 1
    assert "deltastream.ticks: " in _one_line(output)
    assert "unexpected EOF" in output


def test_a_drill_that_finds_too_few_documents_reports_both_numbers(backups: Backups) -> None:
    backup = backups.made()
    noted = backup / "collections"
    noted.write_text(noted.read_text().replace("2500 ", "2501 "))
    summed(backup)
    code, output = backups.run("drill.sh")
    assert code == 1
    assert ": DIFFERENT: 2500 documents restored" in output
    assert output.splitlines()[-1] == (
        f"restore drill failed: 1 of 3 collections differ from backup {backup.name}"
    )


def test_a_document_with_other_content_is_found_by_its_size(backups: Backups) -> None:
    backup = backups.made()
    file = backup / "dump" / "deltastream" / "accounts.bson.gz"
    file.write_bytes(gzip.compress(b"\x05\0\0\0\0"))
    summed(backup)
    code, output = backups.run("drill.sh")
    assert code == 1
    assert "accounts: 1 documents" in output
    assert "DIFFERENT: " in output
    assert "bytes restored" in output


def test_an_empty_folder_counts_as_no_backup(backups: Backups) -> None:
    for script in ("drill.sh", "restore.sh"):
        code, output = backups.run(script)
        assert code == 1
        assert "there is no backup in " in _one_line(output)


def test_a_restore_of_an_unknown_name_lists_the_known_ones(backups: Backups) -> None:
    name = backups.made().name
    code, output = backups.run("restore.sh", "20200101T000000Z")
    assert code == 1
    assert _one_line(output).rstrip() == (
        f"restore failed: there is no backup 20200101T000000Z; choose one of: {name}"
    )


def test_the_newest_backups_are_kept_and_older_ones_deleted(backups: Backups) -> None:
    first = backups.made().name
    old = backups.aged(9)
    backups.keep = 4
    code, output = backups.run("backup.sh")
    assert code == 0
    assert output.rstrip().endswith("4 kept, 7 deleted")
    made = output.split()[1].rstrip(":")
    assert backups.names() == sorted([*old[-2:], first, made])


def test_no_backup_is_deleted_while_there_are_fewer_than_the_limit(backups: Backups) -> None:
    backups.made()
    old = backups.aged(3)
    backups.made()
    assert backups.names()[:3] == old


def _wrong_password(backups: Backups) -> str:
    backups.url = backups.url.replace(PASSWORD, "not-it")
    return "Authentication failed"


def _full_disk(backups: Backups) -> str:
    """Limit each file to 8 KiB, so that a write fails in the middle of the dump as on a full disk."""

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    backups.before = small
    return "file too large"


def _no_secret(backups: Backups) -> str:
    backups.url = ""
    return "mongo_url is missing or empty"


def _empty_database(backups: Backups) -> str:
    with MongoClient[dict[str, Any]](backups.url) as client:
        client.drop_database("deltastream")
    return "the database deltastream has no collections; check the database in mongo_url"


@pytest.mark.parametrize("break_it", [_wrong_password, _full_disk, _no_secret, _empty_database])
def test_a_dump_that_fails_says_why_and_deletes_nothing(
    backups: Backups, database: Database[dict[str, Any]], break_it: Any
) -> None:
    database["noise"].insert_one({"noise": os.urandom(100_000)})  # does not compress
    backups.made()
    backups.aged(9)
    before = backups.names()
    backups.keep = 2
    why = break_it(backups)
    code, output = backups.run("backup.sh")
    assert code == 1
    line = _one_line(output)
    assert line.startswith("backup failed: ")
    assert why in line
    assert PASSWORD not in line
    assert "not-it" not in line
    assert backups.names() == before


def test_remains_of_a_killed_dump_are_deleted_and_never_used_as_a_backup(backups: Backups) -> None:
    name = backups.made().name
    (backups.folder / "20990101T000000Z.partial").mkdir()
    (backups.folder / "20990102T000000Z").mkdir()  # empty, so incomplete
    code, output = backups.run("drill.sh")
    assert (code, name in output) == (0, True)
    backups.made()
    assert not list(backups.folder.glob("*.partial"))


def test_two_dumps_at_once_do_not_disturb_each_other(backups: Backups) -> None:
    import fcntl

    backups.made()
    with (backups.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, output = backups.run("backup.sh")
    assert code == 1
    assert _one_line(output) == "backup failed: another backup is running"


def test_a_volume_that_cannot_be_written_is_reported(backups: Backups) -> None:
    code, output = backups.run("claim.sh")
    assert code == 0
    assert output.startswith("backups: the claim can be written, ")
    backups.folder.rmdir()
    code, output = backups.run("claim.sh")
    assert code == 1
    assert "cannot write to " in _one_line(output)
