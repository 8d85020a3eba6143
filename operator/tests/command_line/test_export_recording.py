"""An export as a recording against prepared answers: stored documents become the messages they came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import example, sent
from typer.testing import Result

from deltastream_cli.adapters.recording_file import Reader
from deltastream_cli.domain import recording, stored

Run = Callable[..., Result]
EXPORT = ("export", "NIFTY", "--as-recording", "--to", "2024-06-22", "-o", "json")
CONTRACTS = ("NIFTY20240627C23500", "NIFTY20240627P23500")


def document(collection: str) -> dict[str, Any]:
    """Return a stored document as REST answers it: a chain has a row for each contract."""
    found = example(f"document-{collection}")
    for side in ("calls", "puts"):
        if side in found:
            columns = found[side]
            rows = zip(*columns.values(), strict=True)
            found[side] = [dict(zip(columns, row, strict=True)) for row in rows]
    return found


@pytest.mark.parametrize(
    ("kind", "collection"),
    [
        ("underlying", "underlying_ticks"),
        ("option_quote", "option_quotes"),
        ("option_chain", "option_chains"),
    ],
)
def test_a_document_becomes_the_message_that_it_was_computed_from(kind: str, collection: str) -> None:
    """It has the members of the message, with the values of the document."""
    made = stored.message(kind, document(collection))
    assert made.pop("replay") == example(f"document-{collection}")["replay"]
    expected = sent(kind)
    for side in ("calls", "puts"):
        if kind == "option_chain":
            columns = example(f"document-{collection}")[side]
            expected[side] = {name: columns[name] for name in expected[side]}
    assert made == expected | {"truth": None}
    recording.row(made)


def test_an_unknown_previous_open_interest_stays_unknown() -> None:
    """A replay of the export has no change of open interest either."""
    found = document("option_chains")
    for contract in (*found["calls"], *found["puts"]):
        contract["previous_open_interest"] = contract["open_interest_change"] = None
    made = stored.message("option_chain", found)
    assert made["calls"]["previous_open_interest"] == [None, None]
    recording.row(made)


def test_a_chain_without_previous_close_keeps_its_open_interest_change() -> None:
    """Releases before this one did not store the close. 0 means unknown."""
    old = document("option_chains")
    for contract in (*old["calls"], *old["puts"]):
        del contract["previous_close"], contract["previous_open_interest"]
    made = stored.message("option_chain", old)
    assert stored.lacks_previous_close(old)
    for side in ("calls", "puts"):
        legs, rows = made[side], old[side]
        changes = [
            now - then
            for now, then in zip(legs["open_interest"], legs["previous_open_interest"], strict=True)
        ]
        assert changes == [row["open_interest_change"] for row in rows]
        assert legs["previous_close"] == [0, 0]


@pytest.fixture
def pages(prepared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A product with three ticks, two chains and two contracts. Answers in the list replace the next ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deltastream_cli.main.time.sleep", lambda _: None)
    instead: list[Any] = []

    def answers(member: str, documents: list[dict[str, Any]]) -> Callable[[dict[str, str]], Any]:
        def answer(query: dict[str, str]) -> Any:
            if instead:
                replaced = instead.pop(0)
                if replaced is not None:
                    return replaced
            at = int(query.get("cursor", "0"))
            following = str(at + 1) if at + 1 < len(documents) else None
            return 200, {member: documents[at : at + 1], "next": following}

        return answer

    ts = example("document-underlying_ticks")["ts"]
    ticks = [document("underlying_ticks") | {"mid": f"3:{seq}", "ts": ts + seq} for seq in (10, 20, 30)]
    chains = [document("option_chains") | {"mid": f"3:{seq}", "ts": ts + seq} for seq in (11, 21)]
    prepared.routes["/api/data/products"] = 200, {"products": ["NIFTY"]}
    prepared.routes["/api/data/contracts/NIFTY"] = 200, {"contracts": list(CONTRACTS)}
    prepared.routes["/api/data/underlying/NIFTY"] = answers("ticks", ticks)
    prepared.routes["/api/data/chain/NIFTY"] = answers("chains", chains)
    for number, symbol in enumerate(CONTRACTS):
        quote = document("option_quotes") | {"mid": f"3:{22 + number}", "ts": ts + 22 + number}
        prepared.routes[f"/api/data/quote/{symbol}"] = answers("quotes", [quote | {"symbol": symbol}])
    return instead


def mids(file: Path) -> list[str]:
    return [row["mid"] for row in Reader(file).rows()]


ORDER = ["3:10", "3:11", "3:20", "3:21", "3:22", "3:23", "3:30"]


def test_an_export_as_recording_is_in_the_order_of_the_market(
    run: Run, pages: list[Any], tmp_path: Path
) -> None:
    """REST answers each kind and each contract by itself; the file has them by event time."""
    ended = run(*EXPORT)
    assert ended.exit_code == 0, ended.output
    assert mids(tmp_path / "NIFTY.parquet") == ORDER
    found = json.loads(ended.stdout)
    assert [found[name] for name in ("messages", "ticks", "quotes", "chains")] == [7, 3, 2, 2]
    assert "missing" not in found
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["NIFTY.parquet"]


@pytest.mark.parametrize("answered", range(7))
def test_an_interrupted_export_continues_behind_its_last_page(
    run: Run, pages: list[Any], prepared: Any, tmp_path: Path, answered: int
) -> None:
    """Whichever answer fails, no page is read twice and the file is the same."""
    pages += [None] * answered + [(503, {"detail": "MongoDB is unavailable"})]
    assert run(*EXPORT).exit_code == 4
    ended = run(*EXPORT)
    assert ended.exit_code == 0, ended.output
    assert mids(tmp_path / "NIFTY.parquet") == ORDER
    reads = [path for path, _, _ in prepared.seen if path.split("/")[3] in ("chain", "quote", "underlying")]
    assert len(reads) == 8


@pytest.mark.parametrize("arguments", [(), ("--as-recording", "--kind", "ticks")])
def test_an_export_is_either_a_kind_or_a_recording(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run("export", "NIFTY", *arguments)
    assert ended.exit_code == 2
    assert "one of the two" in ended.stderr
