"""The command line `deltastream` against the running system: its reports and files equal what is stored."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from devcluster.waiting import wait_until
from typer.testing import CliRunner, Result

from deltastream_cli.domain.kinds import KINDS
from deltastream_cli.main import app
from tests.support.contracts import example
from tests.support.local_system import ROOT, LocalSystem

pytestmark = pytest.mark.timeout(400)  # the first test also waits for the system
COLLECTIONS = {"ticks": "underlying_ticks", "quotes": "option_quotes", "bars": "ohlc_bars"}
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def environment(system: LocalSystem, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who is logged in, so that his reads have their own rate limit."""
    made = {
        "DELTASTREAM_URL": system.url(""),
        "DELTASTREAM_SOCKET_URL": system.url("", "SOCKET_GATEWAY"),
        "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config")),
    }
    arguments = ["login", "--register", "--email", "reader@example.com", "--password-stdin"]
    assert CliRunner().invoke(app, arguments, env=made, input="a-long-password\n").exit_code == 0
    return made


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **options: CliRunner().invoke(app, arguments, env=environment, **options)


def start(
    environment: dict[str, str], *arguments: str, folder: Path, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a command as a process, for tests that kill it or measure it."""
    own = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), **environment}
    command = [sys.executable, "-m", "deltastream_cli", *arguments]
    return subprocess.Popen(command, env=own, cwd=folder, **options)


def report(run: Run, *arguments: str) -> Any:
    ended = run(*arguments, "-o", "json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def lines(file: Path) -> list[list[str]]:
    with file.open(newline="") as opened:
        return list(csv.reader(opened))


@pytest.fixture(scope="module")
def until(system: LocalSystem) -> str:
    """A time before the newest stored data of SPY, so that a range up to it does not change."""
    with system.database() as database:

        def newest() -> datetime:
            tick = database.underlying_ticks.find_one({"product": "SPY"}, sort=[("ts", -1)])
            assert tick is not None
            moment: datetime = tick["timestamp"]
            return moment

        end = newest()
        wait_until(lambda: newest() > end + timedelta(seconds=8), "newer data are stored")
    return end.isoformat()


def test_status_names_every_part_and_product(run: Run, system: LocalSystem) -> None:
    """The parts are those of the gateway's /health."""
    found = report(run, "status")
    assert found["status"] == "healthy"
    assert {check["name"]: check["state"] for check in found["checks"]} == system.get("/health")["checks"]
    assert found["products"] == system.get("/api/data/products")["products"]
    assert "NIFTY" in run("status").stdout


def test_the_chain_has_the_figures_of_the_recording(run: Run, system: LocalSystem) -> None:
    """Text and JSON show the known figures of 21 June 2024, and every row of REST."""
    found = report(run, "chain", "NIFTY", "--strikes", "0")
    assert (found["expiry"], found["max_pain_strike"]) == ("2024-06-27", 23400)
    assert found["pcr_oi"] == pytest.approx(0.9155, abs=1e-4)
    stored = system.get("/api/data/chain/NIFTY?expiry=2024-06-27&limit=1")["chains"][0]
    assert [row["strike"] for row in found["strikes"]] == stored["strikes"]
    for side in ("call", "put"):
        assert [row[f"{side}_iv"] for row in found["strikes"]] == [row["iv"] for row in stored[f"{side}s"]]
    text = run("chain", "NIFTY").stdout
    for figure in ("23,465.59", "0.9155", "0.9808", "23,400", "255.88", "10.63", "discount assumed"):
        assert figure in text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("chain", "NOTHING"), 5, "products with data: AAPL"),
        (("chain", "NIFTY", "2031-01-01"), 5, "stored are: 2024-06-27"),
        (("chain", "nifty"), 2, "product"),
        (("tail", "NOTHING"), 5, "AAPL"),
        (("export", "NOTHING", "--kind", "ticks"), 5, "AAPL"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """The line names the products or expiries that there are."""
    ended = run(*arguments)
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (code, "", 1)
    assert said in ended.stderr


def test_tail_prints_a_line_for_each_event(run: Run) -> None:
    """Without a terminal there is no table: lines of text, or of JSON."""
    ended = run("tail", "SPY", "--count", "3")
    assert ended.exit_code == 0, ended.output
    assert all(re.match(r"20\S+Z SPY ", line) for line in ended.stdout.splitlines())
    events = [
        json.loads(line) for line in run("tail", "SPY", "--count", "5", "-o", "json").stdout.splitlines()
    ]
    assert len(events) == 5
    assert {event["product"] for event in events} == {"SPY"}


class Terminal:
    """A command in a pseudo-terminal of 80 columns."""

    def __init__(self, environment: dict[str, str], folder: Path, *arguments: str) -> None:
        self._mine, its = pty.openpty()
        ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        shown = {**environment, "TERM": "xterm", "NO_COLOR": "1"}
        self.process = start(
            shown,
            *arguments,
            folder=folder,
            stdin=its,
            stdout=its,
            stderr=its,
            # A test run in the background of a shell ignores SIGINT, and its children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(its)
        self.text = ""

    def read(self) -> bool:
        """Read more output. Returns False after the end."""
        try:
            self.text += os.read(self._mine, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return False
        return True

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._mine)


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def one(*arguments: str) -> Terminal:
        opened.append(Terminal(environment, tmp_path, *arguments))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def test_a_chain_fits_into_eighty_columns(terminal: Callable[..., Terminal]) -> None:
    """No cell is cut, the columns that are left out are named, and NO_COLOR is respected."""
    shown = terminal("chain", "NIFTY")
    while shown.read():
        pass
    assert shown.process.wait(20) == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.text)
    assert max(map(len, plain.splitlines())) <= 80
    assert "…" not in plain
    assert "not shown in this width" in plain
    assert not re.search(r"\x1b\[(3[0-7]|9[0-7]|4[0-7])m", shown.text)


def test_ctrl_c_ends_the_live_table_cleanly(terminal: Callable[..., Terminal]) -> None:
    """Code 130, and no traceback."""
    shown = terminal("tail", "SPY")
    while "age" not in shown.text:
        assert shown.read(), shown.text
    shown.process.send_signal(signal.SIGINT)
    while shown.read():
        pass
    assert shown.process.wait(20) == 130
    assert "SPY  live" in shown.text
    assert "Traceback" not in shown.text


@pytest.mark.parametrize("kind", ["ticks", "quotes", "bars"])
def test_an_export_has_every_stored_row_once(
    run: Run, system: LocalSystem, tmp_path: Path, until: str, kind: str
) -> None:
    """The rows equal the documents in MongoDB, in the order of time, quotes by contract."""
    found = report(run, "export", "SPY", "--kind", kind, "--to", until)
    written = lines(tmp_path / f"SPY-{kind}.csv")
    names = [name for name, _ in KINDS[kind].columns]
    end = datetime.fromisoformat(until)
    with system.database() as database:
        if kind == "bars":
            wanted: dict[str, Any] = {"product": "SPY", "window_minutes": 1, "start": {"$lte": end}}
            order = [("start", 1)]
        else:
            ns = int(end.replace(microsecond=0).timestamp()) * 10**9 + end.microsecond * 1000
            wanted = {"product": "SPY", "ts": {"$lte": ns}}
            order = [*([("symbol", 1)] if kind == "quotes" else []), ("ts", 1), ("_id", 1)]
        stored = list(database[COLLECTIONS[kind]].find(wanted).sort(order))
    final = stored[:-1] if kind == "bars" else stored  # the last bar may still change
    assert found["rows"] == len(stored) == len(written) - 1 > 0
    assert written[0] == names
    assert written[1 : len(final) + 1] == [[text(document[name]) for name in names] for document in final]


def text(value: Any) -> str:
    """Return a stored value as an export writes it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "" if value is None else str(value)


def written_as(value: Any, cell: str) -> bool:
    """True if a cell has the value. CSV writes a whole size without a point."""
    return float(cell) == value if isinstance(value, float) else text(value) == cell


def test_an_export_of_chains_has_a_row_for_each_contract(
    run: Run, system: LocalSystem, tmp_path: Path, until: str
) -> None:
    """The rows equal those of REST."""
    report(run, "export", "SPY", "--kind", "chains", "--to", until)
    with (tmp_path / "SPY-chains.csv").open(newline="") as opened:
        written = list(csv.DictReader(opened))
    path = "/api/data/chain/SPY?order=oldest&limit=1000&end=" + until.replace("+00:00", "Z")
    answer = system.get(path)
    contracts = [row for chain in answer["chains"] for row in (*chain["calls"], *chain["puts"])]
    count = len(contracts)
    assert count > 100
    assert answer["truncated"] or len(written) == count
    for name in ("symbol", "strike", "bid", "ask", "iv", "iv_reason", "delta", "buildup"):
        assert [row[name] for row in written[:count]] == [text(contract[name]) for contract in contracts]


def test_an_export_that_is_killed_continues_to_the_same_file(
    run: Run, environment: dict[str, str], tmp_path: Path, until: str
) -> None:
    """kill -9 loses and repeats nothing, also if half of a page was written behind the position."""
    arguments = ("export", "SPY", "--kind", "quotes", "--to", until)
    report(run, *arguments, "--output-file", "whole.csv")
    killed = start(environment, *arguments, "-f", "killed.csv", folder=tmp_path)
    position = tmp_path / "killed.csv.resume"
    try:
        wait_until(
            lambda: position.exists() and json.loads(position.read_text())["position"]["pages"] >= 5,
            "five pages are written",
        )
    finally:
        killed.kill()
        killed.wait()
    assert not (tmp_path / "killed.csv").exists()
    with (tmp_path / "killed.csv.part").open("a") as part:
        part.write("half a ro")
    other = run("export", "SPY", "--kind", "ticks", "--to", until, "-f", "killed.csv")
    assert other.exit_code == 2
    assert "unfinished export with another kind (quotes)" in other.stderr
    ended = run(*arguments, "-f", "killed.csv")
    assert ended.exit_code == 0, ended.output
    assert "continues after" in ended.stderr
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["killed.csv", "whole.csv"]
    again = run(*arguments, "-f", "whole.csv")
    assert again.exit_code == 2
    assert "whole.csv exists already" in again.stderr


def test_a_parquet_file_has_the_same_rows(run: Run, tmp_path: Path, until: str) -> None:
    """Numbers are numbers, times are times, and a missing value is null."""
    for form in ("csv", "parquet"):
        report(run, "export", "SPY", "--kind", "chains", "--to", until, "--format", form)
    table = pyarrow.parquet.read_table(tmp_path / "SPY-chains.parquet")
    written = lines(tmp_path / "SPY-chains.csv")
    assert table.column_names == written[0]
    assert table.num_rows == len(written) - 1
    pairs = [
        pair
        for row, cells in zip(table.to_pylist(), written[1:], strict=True)
        for pair in zip(row.values(), cells, strict=True)
    ]
    assert [pair for pair in pairs if not written_as(*pair)] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SPY-chains.csv", "SPY-chains.parquet"]


@pytest.fixture
def bulk(system: LocalSystem) -> Iterator[dict[str, int]]:
    """Two products whose ticks differ tenfold in number; all of a product have the same event time."""
    counts = {"FEW": 4_000, "MANY": 40_000}
    tick = example("document-underlying_ticks") | {"processed_at": datetime.now(UTC)}
    tick["timestamp"] = datetime.fromisoformat(tick["timestamp"])
    with system.database() as database:
        number = 0
        for product, count in counts.items():
            made = [
                tick | {"_id": (number + at).to_bytes(12, "big"), "product": product} for at in range(count)
            ]
            database.underlying_ticks.insert_many(made)
            number += count
        yield counts
        database.underlying_ticks.delete_many({"product": {"$in": list(counts)}})


def test_memory_does_not_grow_with_the_export(
    environment: dict[str, str], tmp_path: Path, bulk: dict[str, int]
) -> None:
    """Ten times the rows need at most a tenth more memory."""
    peaks = {}
    for product, count in bulk.items():
        process = start(environment, "export", product, "--kind", "ticks", folder=tmp_path)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        assert len(lines(tmp_path / f"{product}-ticks.csv")) == count + 1
        peaks[product] = used.ru_maxrss
    assert peaks["MANY"] <= 1.1 * peaks["FEW"], peaks


def test_a_login_makes_later_commands_those_of_the_account(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A real session of auth is stored, used and refreshed."""
    own = environment | {"XDG_CONFIG_HOME": str(tmp_path / "config")}

    def run(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(app, arguments, env=own, **options)

    log_in = ("login", "--email", "desk@example.com", "--password-stdin")
    assert run(*log_in, input="a-long-password\n").exit_code == 3
    assert run(*log_in, "--register", input="a-long-password\n").exit_code == 0
    assert report(run, "status")["account"] == "desk@example.com"
    file = tmp_path / "config/deltastream/credentials.json"
    ((url, before),) = json.loads(file.read_text()).items()
    file.write_text(json.dumps({url: before | {"expires_at": "2020-01-01T00:00:00Z"}}))
    ended = run("chain", "NIFTY")
    assert (ended.exit_code, ended.stderr) == (0, "")
    after = json.loads(file.read_text())[url]
    assert after["access_token"] != before["access_token"]
    assert after["access_token"] not in ended.output
    file.write_text(json.dumps({url: before | {"expires_at": "2020-01-01T00:00:00Z"}}))
    ended = run("chain", "NIFTY")  # with a refresh token that was used already
    assert (ended.exit_code, ended.stderr.count("\n")) == (3, 1)
