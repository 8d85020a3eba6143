"""Nothing in the folder of a local system is trusted: a line with file and way out, never a traceback."""

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
def said() -> list[str]:
    """What the home says while it is used."""
    return []


@pytest.fixture
def home(tmp_path: Path, said: list[str]) -> Home:
    """A home that was made just now."""
    home = Home(tmp_path / "home", said.append)
    home.create()
    return home


def a_folder(path: Path) -> None:
    path.mkdir()


def a_circle(path: Path) -> None:
    path.symlink_to(path)


def a_file(path: Path) -> None:
    path.write_text("x")


@pytest.mark.parametrize("make", [a_file, a_circle])
@pytest.mark.parametrize("name", ["", "logs", "run", "secrets", "data", "data/redis", "data/mongo"])
def test_what_stands_where_a_folder_belongs_is_named(
    make: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    """A file, or links in a circle: file, reason, way out."""
    place = tmp_path / "home" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    make(place)
    with pytest.raises(OperatorError) as caught:
        Home(tmp_path / "home").create()
    line = str(caught.value)
    assert str(place) in line
    assert "\n" not in line
    assert "DELTASTREAM_HOME" in line


@pytest.mark.parametrize("name", ["\0", "x" * 300])
def test_a_home_that_is_no_path_is_named(name: str, tmp_path: Path) -> None:
    """Also what only `.env` can hold."""
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
def test_a_folder_where_a_file_belongs_is_named(name: str, home: Home) -> None:
    """It is not ours to remove."""
    (home.root / name).mkdir()
    with pytest.raises(OperatorError) as caught:
        USES[name](home)
    assert str(home.root / name).removesuffix(".new") in str(caught.value)
    assert "a file belongs there: move the folder away" in str(caught.value)


def test_a_lock_that_is_a_folder_stops_no_stop(home: Home) -> None:
    """`make stop` and `make start` look at it first."""
    home.lock_file.mkdir()
    with pytest.raises(OperatorError, match=r"local\.pid: cannot be used: Is a directory"):
        home.running_pid()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_takes_nothing_is_told_and_the_old_file_stays(
    error: int, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a secret would be worse than none."""
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


def test_a_secret_is_on_the_disk_before_it_has_its_name(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, name, folder: a power cut leaves no empty secret behind."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def renamed(draft: Path, path: Path) -> Path:
        steps.append("name")
        return replace(draft, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    home.secret("redis_password")
    assert steps == ["file", "name", "folder"]


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
def test_a_secret_that_is_none_is_told_with_its_file(content: bytes, what: str, home: Home) -> None:
    """Never its content; and how to go on."""
    path = home.secrets / "jwt_secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OperatorError) as caught:
        home.secret("jwt_secret", least=32)
    assert str(caught.value) == f"{path}: {what}: restore it, or remove it to get a new one"


def test_a_pipe_in_place_of_a_secret_blocks_nothing(home: Home) -> None:
    """It is as good as empty."""
    os.mkfifo(home.secrets / "jwt_secret", 0o600)
    with pytest.raises(OperatorError, match="jwt_secret: is empty"):
        home.secret("jwt_secret")


def test_a_secret_that_others_can_read_is_closed_and_told(home: Home, said: list[str]) -> None:
    """Its owner decides whether to make a new one."""
    home.write_secret("jwt_secret", "a" * 40).chmod(0o644)
    assert home.secret("jwt_secret") == "a" * 40
    assert (home.secrets / "jwt_secret").stat().st_mode & 0o777 == 0o600
    assert said == [
        f"{home.secrets}/jwt_secret was readable by other users (mode 644): now only its owner can read it"
    ]


def test_a_secret_that_is_lost_is_made_anew_and_told(tmp_path: Path, home: Home, said: list[str]) -> None:
    """A first start says nothing of it."""
    first = home.secret("jwt_secret"), home.secret("redis_password")
    assert said == []
    (home.secrets / "jwt_secret").unlink()
    again = Home(tmp_path / "home", said.append)
    again.create()
    assert (again.secret("jwt_secret") != first[0], again.secret("redis_password")) == (True, first[1])
    assert said == [f"{home.secrets}/jwt_secret was missing: a new one was created"]


def test_any_password_and_any_path_reach_redis_as_they_are(tmp_path: Path) -> None:
    """Neither ends the line of redis.conf, and a URL keeps the password whole."""
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
def test_a_record_that_is_none_is_said_and_made_anew(content: bytes, home: Home, said: list[str]) -> None:
    """Nothing in it is worth a refusal to start."""
    (home.run / "ports.json").write_bytes(content)
    assert home.read_json("ports.json") == {}
    assert said == [f"{home.run}/ports.json is damaged: it is created again"]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else, which leads no group."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_a_forged_record_of_processes_names_nobody(bystander: subprocess.Popen[bytes]) -> None:
    """Only the leader of a group of its own can be one of ours; never this process, never init."""
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


def test_a_lock_that_names_another_process_is_believed_by_nobody(
    home: Home, bystander: subprocess.Popen[bytes]
) -> None:
    """`make stop` sends a signal to that pid."""
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
def test_data_that_redis_would_not_find_ends_the_start(
    names: tuple[str, ...], manifest: str | None, what: str, home: Home
) -> None:
    """It would serve without it, and with everybody's confidence."""
    redis_files(home, *names, manifest=manifest)
    with pytest.raises(OperatorError) as caught:
        data.check(home)
    assert str(caught.value) == (
        f"{home.redis_data / MANIFEST}: {what}, and Redis needs it to find its data: "
        "restore it from a backup, "
        f"or remove {home.redis_data / AOF} to start without data"
    )


@pytest.mark.parametrize("missing", ["WiredTiger", "WiredTiger.wt", "_mdb_catalog.wt", "journal"])
def test_data_of_mongod_that_is_not_whole_ends_the_start(missing: str, home: Home) -> None:
    """Without its journal mongod starts and lacks the last minute; without the others it tells no way out."""
    for name in WHOLE:
        if name != missing:
            (home.mongo_data / name).write_text("x")
    with pytest.raises(OperatorError, match=rf"{missing}: is missing beside collections.*remove it to start"):
        data.check(home)


def test_whole_data_and_a_first_start_are_in_order(home: Home, said: list[str]) -> None:
    """Nothing to say of either."""
    data.check(home)
    redis_files(home, BASE, INCR, manifest=LINES)
    for name in WHOLE:
        (home.mongo_data / name).write_text("x")
    home.used_before = True
    data.check(home)
    assert said == []


def test_an_empty_folder_of_a_used_home_is_said(home: Home, said: list[str]) -> None:
    """It may be meant, so the start goes on."""
    home.used_before = True
    data.check(home)
    assert said == [
        f"{home.redis_data} is empty, though this home was used before: Redis starts without data",
        f"{home.mongo_data} is empty, though this home was used before: MongoDB starts without data",
    ]


def test_a_start_with_broken_records_says_so_and_serves(local_run: Any) -> None:
    """Ports that are none, given twice or taken are replaced; a record that is none is passed over."""
    taken = int(local_run.ports["AUTH_PORT"])
    (local_run.state / "run").mkdir(parents=True)
    (local_run.state / "run/ports.json").write_text(json.dumps({"redis": 99999999, "mongod": taken}))
    (local_run.state / "run/processes.json").write_text('{"redis": 5, "x": [1]}')
    local_run.start()
    kept = json.loads((local_run.state / "run/ports.json").read_text())
    assert local_run.end(signal.SIGINT) == 0
    said = local_run.output.read_text()
    ports = local_run.state / "run/ports.json"
    assert f"{ports}: redis: 99999999 is not a port: using {kept['redis']} instead" in said
    assert f"{ports}: mongod: port {taken} is assigned twice: using {kept['mongod']} instead" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["local", "start", "stop"])
def test_each_command_says_one_line_of_a_home_it_cannot_use(command: str, local_run: Any) -> None:
    """Exit code 1 and the way out."""
    local_run.state.write_text("a file")
    words = local_run.command("stop") if command == "stop" else local_run.local(command)
    result = local_run.run(*words)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1), result.stderr
    assert str(local_run.state) in result.stderr
    assert "a folder belongs there: move the file away, or set another DELTASTREAM_HOME" in result.stderr
