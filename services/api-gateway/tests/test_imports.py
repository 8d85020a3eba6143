"""Uploads: the gateway of a local run stores files and asks for their import, with a real Redis."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.support.contracts import example, validator
from tests.support.tokens import USER, headers_of

from api_gateway.edge import MAX_IMPORT_BYTES

PATH = "/api/imports?feed=my-chain"


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.fixture
def local(gateway: Any, tmp_path: Path) -> Any:
    """A client of a gateway that takes uploads into `tmp_path`/uploads."""
    return gateway.client(import_folder=tmp_path / "uploads")


def form(*names: str, content: bytes = b"a,b\n") -> dict[str, Any]:
    return {"file": [(io.BytesIO(content), name) for name in names]}


def stored(tmp_path: Path) -> list[str]:
    return sorted(
        str(path.relative_to(tmp_path / "uploads")) for path in tmp_path.rglob("*") if path.is_file()
    )


def test_files_are_stored_and_their_import_is_asked_for(local: Any, store: Any, tmp_path: Path) -> None:
    """The request follows its contract, and the answer has the first state."""
    stated = "as_of=2024-06-21T15:30:00%2B05:30&spot=23501.1&expiry=2024-06-27&products=NIFTY,M%26M"
    path = f"{PATH}&format=nse&{stated}"
    got = local.post(path, data=form("a.csv", "b.csv"), headers=headers_of("operator"))
    assert got.status_code == 202, got.text
    validator("import-state").validate(got.json)
    request = json.loads(store.lpop("imports:requests"))
    validator("import-request").validate(request)
    assert request == {
        "id": got.json["id"],
        "feed": "my-chain",
        "format": "nse",
        "as_of": "2024-06-21T15:30:00+05:30",
        "spot": 23501.1,
        "expiry": "2024-06-27",
        "products": ["NIFTY", "M&M"],
        "account": USER,
    }
    assert stored(tmp_path) == [f"{request['id']}/a.csv", f"{request['id']}/b.csv"]
    assert local.get(f"/api/imports/{request['id']}", headers=headers_of("operator")).json == got.json


def test_what_is_not_stated_is_null(local: Any, store: Any) -> None:
    """An empty field of the page's form counts as absent."""
    assert (
        local.post(f"{PATH}&as_of=&products=", data=form("a.csv"), headers=headers_of("operator")).status_code
        == 202
    )
    request = json.loads(store.lpop("imports:requests"))
    validator("import-request").validate(request)
    assert (request["format"], request["as_of"], request["products"]) == ("auto", None, [])


@pytest.mark.parametrize("number", [1, 2])
def test_the_state_is_shown_as_the_local_run_wrote_it(local: Any, store: Any, number: int) -> None:
    state = example("import-state", number)
    store.set(f"import:{state['id']}", json.dumps(state))
    got = local.get(f"/api/imports/{state['id']}", headers=headers_of("operator"))
    assert (got.status_code, got.json) == (200, state)
    got = local.get(f"/api/imports/{'ab' * 16}", headers=headers_of("operator"))
    assert (got.status_code, got.json["code"]) == (404, "unknown_import")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.csv", "etc_passwd.csv"),
        ("..\\..\\x.csv", "x.csv"),
        ("/root/.ssh/a b;rm.csv", "root_.ssh_a_b_rm.csv"),
        ("option-chain-ED-NIFTY-27-Jun-2024_2024-06-21T093000.csv",) * 2,
        ("option-chain-ED-M&M-27-Jun-2024 (1).csv", "option-chain-ED-M&M-27-Jun-2024_1_.csv"),
        (".hidden.csv", "hidden.csv"),
    ],
)
def test_names_of_files_are_made_harmless(local: Any, tmp_path: Path, given: str, kept: str) -> None:
    got = local.post(PATH, data=form(given), headers=headers_of("operator"))
    assert got.status_code == 202, got.text
    assert [name.partition("/")[2] for name in stored(tmp_path)] == [kept]
    assert not [path for path in tmp_path.iterdir() if path.name != "uploads"]


@pytest.mark.parametrize(
    ("path", "data", "status", "text"),
    [
        (PATH, {}, 415, "multipart/form-data"),
        (PATH, {"other": (io.BytesIO(b"x"), "a.csv")}, 400, "must be 1 to 100 files"),
        (PATH, form("..."), 400, "each file must have a name"),
        (PATH, form("a.csv", "x/../a.csv"), 202, ""),
        (PATH, form("a.csv", "a.csv"), 400, "two files are called a.csv"),
        ("/api/imports", form("a.csv"), 400, "feed: "),
        ("/api/imports?feed=../x", form("a.csv"), 400, "feed: "),
        (f"{PATH}&as_of=2024-06-21T15:30:00", form("a.csv"), 400, "as_of: "),
        (f"{PATH}&spot=-1", form("a.csv"), 400, "spot: "),
        (f"{PATH}&spot=nan", form("a.csv"), 400, "spot: "),
        (f"{PATH}&products=nifty", form("a.csv"), 400, "products"),
        (f"{PATH}&x=1", form("a.csv"), 400, "x: "),
        (PATH, form("a.csv", content=bytes(MAX_IMPORT_BYTES)), 413, ""),
    ],
)
def test_a_bad_upload_is_refused_and_nothing_stays(
    local: Any, store: Any, tmp_path: Path, path: str, data: Any, status: int, text: str
) -> None:
    got = local.post(path, data=data, headers=headers_of("operator"))
    assert got.status_code == status, got.text
    if status != 202:
        assert text in got.json["detail"]
        assert (stored(tmp_path), store.llen("imports:requests")) == ([], 0)


def test_an_operator_may_cancel_an_import(local: Any, store: Any) -> None:
    """The local run is asked to, and the answer has the stage of the moment."""
    state = example("import-state")
    store.set(f"import:{state['id']}", json.dumps(state))
    got = local.delete(f"/api/imports/{state['id']}", headers=headers_of("operator"))
    assert (got.status_code, got.json) == (202, state)
    request = json.loads(store.lpop("imports:cancels"))
    validator("import-cancel").validate(request)
    assert request == {"id": state["id"], "account": USER}
    got = local.delete(f"/api/imports/{'ab' * 16}", headers=headers_of("operator"))
    assert (got.status_code, got.json["code"]) == (404, "unknown_import")
    assert store.llen("imports:cancels") == 0


def test_only_an_operator_may_import(local: Any, user: Any, tmp_path: Path) -> None:
    """Refused before the body is read."""
    assert local.post(PATH, data=form("a.csv")).status_code == 401
    got = local.post(PATH, data=form("a.csv"), headers=user)
    assert (got.status_code, got.json["code"]) == (403, "operator_role_needed")
    for call in (local.get, local.delete):
        assert call(f"/api/imports/{'0f' * 16}", headers=user).status_code == 403
        assert call(f"/api/imports/{'0f' * 16}").status_code == 401
    assert stored(tmp_path) == []


def test_without_redis_nothing_stays(gateway: Any, tmp_path: Path) -> None:
    local = gateway.client(import_folder=tmp_path / "uploads", redis_url="redis://127.0.0.1:1/0")
    got = local.post(PATH, data=form("a.csv"), headers=headers_of("operator"))
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")
    assert stored(tmp_path) == []


def test_only_a_local_run_has_the_routes(client: Any) -> None:
    """A cluster's gateway has no folder to share."""
    got = client.post(PATH, data=form("a.csv"), headers=headers_of("operator"))
    assert got.status_code in (404, 415)
    assert client.get(f"/api/imports/{'0f' * 16}", headers=headers_of("operator")).status_code == 404
