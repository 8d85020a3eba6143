"""Test the folder of a local system: an unusable file leads to one line with the file and the fix."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deltastream_operator.errors import OperatorError
from deltastream_operator.local.state import data, stores
from deltastream_operator.local.state.home import Home
from deltastream_operator.local.supervision.leftovers import recorded, started_at

AOF, MANIFEST = "appendonlydir", "appendonlydir/appendonly.aof.manifest"
WHOLE = ("WiredTiger", "WiredTiger.wt", "_mdb_catalog.wt", "journal", "collection-0-1.wt")


@pytest.fixture
def messages() -> list[str]:
    """Return the list to which the home adds its messages."""
    return []


@pytest.fixture
def home(tmp_path: Path, messages: list[str]) -> Home:
    """Return a newly created home."""
    home = Home(tmp_path / "home", messages.append)
    home.create()
    return home


def a_folder(path: Path) -> None:
    path.mkdir()


def a_loop_of_links(path: Path) -> None:
    path.symlink_to(path)


def a_file(path: Path) -> None:
    path.write_text("x")


@pytest.mark.parametrize("make", [a_file, a_loop_of_links])
@pytest.mark.parametrize("name", ["", "logs", "run", "secrets", "data", "data/redis", "data/mongo"])
def test_a_file_in_place_of_a_folder_is_reported(
    make: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    """The error has the path, the reason and the fix. A loop of symbolic links is reported likewise."""
    path = tmp_path / "home" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    with pytest.raises(OperatorError) as caught:
        Home(tmp_path / "home").create()
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    assert "DELTASTREAM_HOME" in line


@pytest.mark.parametrize("name", ["\0", "x" * 300])
def test_a_home_that_is_not_a_path_is_reported(name: str, tmp_path: Path) -> None:
    """A NUL is possible in `.env`, though not in an environment variable."""
    with pytest.raises(OperatorError, match="DELTASTREAM_HOME"):
        Home(tmp_path / name).create()


USES: dict[str, Callable[[Home], Any]] = {
    "run/local.pid": lambda home: home.lock().__enter__(),
    "run/ready": lambda home: home.ready("x"),
    "run/ports.json": lambda home: home.read_json("ports.json"),
    "run/processes.json": lambda home: home.write_json("processes.json", {}),
    "run/ports.json.new": lambda home: home.write_json("ports.json", {}),
    "secrets/jwt_secret": lambda home: home.secret("jwt_secret"),
    "secrets/redis_url": lambda home: home.write_secret("redis_url", "x"),
    "secrets/redis_url.new": lambda home: home.write_secret("redis_url", "x"),
}


@pytest.mark.parametrize("name", USES)
def test_a_folder_in_place_of_a_file_is_reported(name: str, home: Home) -> None:
    """The local run does not remove a folder that it did not create."""
    (home.root / name).mkdir()
    with pytest.raises(OperatorError) as caught:
        USES[name](home)
    assert str(home.root / name).removesuffix(".new") in str(caught.value)
    assert "a file belongs there: move the folder away" in str(caught.value)


def test_a_folder_in_place_of_the_lock_is_reported(home: Home) -> None:
    """`make stop` and `make start` read the lock first."""
    home.lock_file.mkdir()
    with pytest.raises(OperatorError, match=r"local\.pid: cannot be used: Is a directory"):
        home.running_pid()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_failed_write_is_reported_and_keeps_the_old_file(
    error: int, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incomplete secret would be worse than the old one."""
    home.write_secret("redis_url", "old")

    def full(_: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OperatorError) as caught:
        home.write_secret("redis_url", "new")
    assert str(caught.value).startswith(f"{home.secrets}/redis_url: cannot be used: {os.strerror(error)}: ")
    monkeypatch.undo()
    assert (home.secrets / "redis_url").read_text() == "old"
    home.write_secret("redis_url", "new")
    assert sorted(file.name for file in home.secrets.iterdir()) == ["redis_url"]


def test_a_secret_is_synced_before_its_file_is_renamed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is: sync the file, rename it, sync the folder. So a power cut leaves no empty secret."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def renamed(draft: Path, path: Path) -> Path:
        steps.append("rename")
        return replace(draft, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    home.secret("redis_password")
    assert steps == ["file", "rename", "folder"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\xff" * 40, "must be one word of 32 to 1000 ASCII characters"),
        (b"a" * 31, "must be one word of 32 to 1000 ASCII characters"),
        (b"a" * 20 + b"\n" + b"a" * 20, "must be one word of 32 to 1000 ASCII characters"),
        (b"a" * 40 + b"\0", "must be one word of 32 to 1000 ASCII characters"),
        (b"a" * 100_000, "must be one word of 32 to 1000 ASCII characters"),
    ],
)
def test_an_invalid_secret_is_reported_with_its_file(content: bytes, what: str, home: Home) -> None:
    """The error has the rule and the fix. It never contains the secret."""
    path = home.secrets / "jwt_secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OperatorError) as caught:
        home.secret("jwt_secret", least=32)
    assert str(caught.value) == f"{path}: {what}: restore it, or remove it to get a new one"


def test_a_pipe_in_place_of_a_secret_does_not_block(home: Home) -> None:
    """The pipe is treated as an empty file."""
    os.mkfifo(home.secrets / "jwt_secret", 0o600)
    with pytest.raises(OperatorError, match="jwt_secret: is empty"):
        home.secret("jwt_secret")


def test_a_secret_that_others_can_read_is_protected_and_reported(home: Home, messages: list[str]) -> None:
    """The secret stays in use. The owner decides whether to replace it."""
    home.write_secret("jwt_secret", "a" * 40).chmod(0o644)
    assert home.secret("jwt_secret") == "a" * 40
    assert (home.secrets / "jwt_secret").stat().st_mode & 0o777 == 0o600
    assert messages == [
        f"{home.secrets}/jwt_secret was readable by other users (mode 644): now only its owner can read it"
    ]


def test_a_missing_secret_is_created_and_reported(tmp_path: Path, home: Home, messages: list[str]) -> None:
    """The first start also creates the secrets, but reports nothing."""
    first = home.secret("jwt_secret"), home.secret("redis_password")
    assert messages == []
    (home.secrets / "jwt_secret").unlink()
    again = Home(tmp_path / "home", messages.append)
    again.create()
    assert (again.secret("jwt_secret") != first[0], again.secret("redis_password")) == (True, first[1])
    assert messages == [f"{home.secrets}/jwt_secret was missing: a new one was created"]


def test_any_password_and_any_path_are_escaped_for_redis(tmp_path: Path) -> None:
    """They do not end a line of redis.conf, and the URL contains the whole password."""
    odd = Home(tmp_path / 'a "b"\nsave\\ é')
    odd.create()
    odd.write_secret("redis_password", '"/@#%\\')
    command = stores.redis(odd, 1, {})
    written = Path(command.argv[1]).read_text()
    assert [line.split()[0] for line in written.splitlines()] == [
        *("bind", "port", "dir", "requirepass", "appendonly", "appendfsync", "save", "maxmemory"),
        "maxmemory-policy",
    ]
    assert 'requirepass "\\x22/@#%\\x5c"' in written
    assert stores.redis_url(odd, 1, 0) == "redis://:%22%2F%40%23%25%5C@127.0.0.1:1/0"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b"\0", b"[" * 60_000, b'{"a": ' + b"1" * 70_000]
)
def test_a_damaged_record_is_reported_and_recreated(content: bytes, home: Home, messages: list[str]) -> None:
    """A record can be recreated, so the start does not fail because of it."""
    (home.run / "ports.json").write_bytes(content)
    assert home.read_json("ports.json") == {}
    assert messages == [f"{home.run}/ports.json is damaged: it is created again"]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Yield an unrelated process, which is not the leader of a process group."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_invalid_entries_of_the_process_record_are_ignored(bystander: subprocess.Popen[bytes]) -> None:
    """An entry is valid only for the leader of a process group. This process and init are never valid."""
    began = started_at(bystander.pid)
    entries: list[object] = [
        *(5, None, "x", [], [1], [1, 2], ["1", "x"], [True, "x"], [-1, "x"], [0, "x"], [1, "x"], {}),
        *(
            [2**31, "x"],
            [2**70, "x"],
            [1.5, "x"],
            [os.getpid(), started_at(os.getpid())],
            [bystander.pid, began],
        ),
    ]
    assert recorded({str(number): entry for number, entry in enumerate(entries)}) == {}


def test_a_lock_with_the_pid_of_an_unrelated_process_is_refused(
    home: Home, bystander: subprocess.Popen[bytes]
) -> None:
    """`make stop` would send a signal to that process."""
    with home.lock():
        assert home.running_pid() == os.getpid()
        for forged in (f"{bystander.pid}\n", "-1\n", "0\n", "1\n", "x", "9" * 5000):
            home.lock_file.write_text(forged)
            with pytest.raises(OperatorError, match="does not name the local run that holds it"):
                home.running_pid()
            with pytest.raises(OperatorError, match="does not name the local run that holds it"), home.lock():
                pass
    assert bystander.poll() is None


def redis_files(home: Home, *names: str, manifest: str | None = None) -> None:
    (home.redis_data / AOF).mkdir()
    for name in names:
        (home.redis_data / AOF / name).write_text("x")
    if manifest is not None:
        (home.redis_data / MANIFEST).write_text(manifest)


BASE, INCR = "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"
LINES = f"file {BASE} seq 1 type b\nfile {INCR} seq 1 type i\n"


@pytest.mark.parametrize(
    ("names", "manifest", "what"),
    [
        ((BASE, INCR), None, f"is missing beside {BASE}"),
        ((INCR,), None, f"is missing beside {INCR}"),
        ((BASE, INCR), "", "names no file"),
        ((BASE,), LINES, f"names {INCR}, which is missing"),
        ((INCR,), LINES, f"names {BASE}, which is missing"),
    ],
)
def test_the_start_fails_if_redis_would_not_find_its_data(
    names: tuple[str, ...], manifest: str | None, what: str, home: Home
) -> None:
    """Redis would start without the data and report no error."""
    redis_files(home, *names, manifest=manifest)
    with pytest.raises(OperatorError) as caught:
        data.check(home)
    assert str(caught.value) == (
        f"{home.redis_data / MANIFEST}: {what}, and Redis needs it to find its data: "
        "restore it from a backup, "
        f"or remove {home.redis_data / AOF} to start without data"
    )


@pytest.mark.parametrize("missing", ["WiredTiger", "WiredTiger.wt", "_mdb_catalog.wt", "journal"])
def test_the_start_fails_if_a_file_of_mongod_is_missing(missing: str, home: Home) -> None:
    """Without its journal mongod starts, but the last minute of data is lost.

    Without one of the other files it does not start, and its error does not name a fix.
    """
    for name in WHOLE:
        if name != missing:
            (home.mongo_data / name).write_text("x")
    with pytest.raises(OperatorError, match=rf"{missing}: is missing beside collections.*remove it to start"):
        data.check(home)


def test_complete_data_and_a_first_start_cause_no_message(home: Home, messages: list[str]) -> None:
    """The check neither fails nor reports anything."""
    data.check(home)
    redis_files(home, BASE, INCR, manifest=LINES)
    for name in WHOLE:
        (home.mongo_data / name).write_text("x")
    home.used_before = True
    data.check(home)
    assert messages == []


def test_an_empty_data_folder_of_a_used_home_is_reported(home: Home, messages: list[str]) -> None:
    """The user may have removed the data on purpose, so the start continues."""
    home.used_before = True
    data.check(home)
    assert messages == [
        f"{home.redis_data} is empty, though this home was used before: Redis starts without data",
        f"{home.mongo_data} is empty, though this home was used before: MongoDB starts without data",
    ]


def test_a_start_with_damaged_records_reports_them_and_serves(local_run: Any) -> None:
    """Invalid ports and ports that are assigned twice are replaced. Invalid process entries are ignored."""
    taken = int(local_run.ports["AUTH_PORT"])
    (local_run.state / "run").mkdir(parents=True)
    (local_run.state / "run/ports.json").write_text(json.dumps({"redis": 99999999, "mongod": taken}))
    (local_run.state / "run/processes.json").write_text('{"redis": 5, "x": [1]}')
    local_run.start()
    kept = json.loads((local_run.state / "run/ports.json").read_text())
    assert local_run.end(signal.SIGINT) == 0
    output = local_run.output.read_text()
    ports = local_run.state / "run/ports.json"
    assert f"{ports}: redis: 99999999 is not a port: using {kept['redis']} instead" in output
    assert f"{ports}: mongod: port {taken} is assigned twice: using {kept['mongod']} instead" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ["local", "start", "stop"])
def test_each_command_reports_an_unusable_home_in_one_line(command: str, local_run: Any) -> None:
    """The exit code is 1, and the line has the fix."""
    local_run.state.write_text("a file")
    words = local_run.command("stop") if command == "stop" else local_run.local(command)
    result = local_run.run(*words)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1), result.stderr
    assert str(local_run.state) in result.stderr
    assert "a folder belongs there: move the file away, or set another DELTASTREAM_HOME" in result.stderr
