"""The web page is served from memory, under a policy that allows no script and no connection but its own."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api_gateway.config import Settings
from api_gateway.page import FOLDER, load, socket_origin

BROWSER = {"Accept-Encoding": "gzip, deflate, br"}


def policy(answer: Any) -> dict[str, str]:
    """The directives of a response's Content-Security-Policy."""
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, _, sources in (part.partition(" ") for part in parts)}


def test_the_root_is_the_page(client: Any) -> None:
    """A browser gets the page at `/` without a token; programs keep /api/docs."""
    got = client.get("/")
    assert (got.status_code, got.content_type) == (200, "text/html; charset=utf-8")
    assert got.data == (FOLDER / "index.html").read_bytes()


def test_everything_that_the_page_names_is_served(client: Any) -> None:
    """The page works offline: each script, style and module that a file names is a file of the folder."""
    named = set(re.findall(r'(?:src|href)="(/web/[^"]+)"', client.get("/").text))
    assert len(named) >= 5
    for module in FOLDER.rglob("*.js"):
        for path in re.findall(r'(?:from|import\()\s*"(\.[^"]+\.js)"', module.read_text()):
            named.add(f"/web/{(module.parent / path).resolve().relative_to(FOLDER)}")
    for path in named:
        got = client.get(path)
        assert got.status_code == 200, path
        assert got.content_type.partition(";")[0] in ("text/javascript", "text/css", "image/svg+xml"), path


def test_no_script_or_style_is_inline() -> None:
    """The policy would refuse inline scripts and styles, and the page would be broken."""
    page = (FOLDER / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)


def test_the_policy_allows_only_the_page_and_its_gateways(gateway: Any) -> None:
    """Scripts and styles come from this origin; connections go to it and to the Socket.IO gateway."""
    got = policy(gateway.client(socket_url=":8002").get("/", headers={"Host": "desk.example:8000"}))
    assert got["default-src"] == "'none'"
    assert (got["script-src"], got["style-src"]) == ("'self'", "'self'")
    assert got["connect-src"] == "'self' ws://desk.example:8002"
    assert got["frame-ancestors"] == "'none'"
    assert not any("unsafe" in sources for sources in got.values())


@pytest.mark.parametrize(
    ("socket_url", "host", "scheme", "origin"),
    [
        ("", "localhost:8000", "http", "ws://localhost:8000"),
        ("", "desk.example", "https", "wss://desk.example"),
        (":8002", "127.0.0.1:8000", "http", "ws://127.0.0.1:8002"),
        ("https://live.example", "desk.example", "https", "wss://live.example"),
        ("http://live.example:8002", "desk.example", "http", "ws://live.example:8002"),
        (":8002", "[::1]:8000", "http", None),
        ("", "x; script-src *", "http", None),
    ],
)
def test_the_page_finds_the_socket_gateway(
    socket_url: str, host: str, scheme: str, origin: str | None
) -> None:
    """At the page's own origin, at another port of its host, or elsewhere. A strange Host adds nothing."""
    assert socket_origin(socket_url, host, scheme) == origin


@pytest.mark.parametrize(
    "value", ["8002", ":high", "live.example", "https://live.example/socket.io", "ws://a"]
)
def test_another_place_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(ValidationError, match="an origin like https:"):
        Settings(service_client_secret="x", socket_url=value)


def test_the_page_reads_its_settings(gateway: Any) -> None:
    """config.json has what the page must know before it can connect."""
    client = gateway.client(socket_url=":8002", anonymous_read=True, local_run=True)
    got = client.get("/web/config.json", headers={"Host": "localhost"})
    assert got.json == {"socket_url": ":8002", "anonymous_read": True, "local": True}
    assert gateway.client().get("/web/config.json").json == {
        "socket_url": "",
        "anonymous_read": False,
        "local": False,
    }


@pytest.mark.parametrize("path", ["/", "/web/app/main.js", "/web/config.json"])
@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_an_unchanged_file_is_not_sent_again(client: Any, path: str, headers: dict[str, str]) -> None:
    """Browsers ask before each use and get 304, so no file outlives a release."""
    first = client.get(path, headers=headers)
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get(path, headers={**headers, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]


def test_a_browser_gets_the_file_compressed(client: Any) -> None:
    """Both forms have their own ETag, and a cache keeps them apart."""
    plain, packed = client.get("/web/app/main.js"), client.get("/web/app/main.js", headers=BROWSER)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert "Accept-Encoding" in plain.headers["Vary"]


@pytest.mark.parametrize("path", ["../app.py", "app/types.d.ts", "app", "", "%2e%2e/api_gateway/page.py"])
def test_no_other_file_is_served(client: Any, path: str) -> None:
    """Only files that were in the folder at the start, and only those that a browser needs."""
    got = client.get(f"/web/{path}")
    assert (got.status_code, got.content_type) == (404, "application/problem+json")


def test_the_answers_are_not_sniffed(client: Any) -> None:
    """A browser must not take a file for another type, and no other page may embed it."""
    headers = client.get("/web/app/main.js").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_first_load_stays_small() -> None:
    """All files together, compressed as they are sent, within 250 kB; the libraries' code within 120 kB."""
    sizes = {name: len(file.packed or file.body) for name, file in load(FOLDER).items()}
    libraries = sum(size for name, size in sizes.items() if re.fullmatch(r"vendor/.*\.js", name))
    print(f"page: {sum(sizes.values())} bytes compressed, of which {libraries} are libraries")
    assert libraries <= 120_000
    assert sum(sizes.values()) <= 250_000


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """A request never waits for a disk, and a file that changes below a running gateway changes nothing."""
    (tmp_path / "a.css").write_text("a {}")
    (tmp_path / "a.d.ts").write_text("export type A = string;")
    loaded = load(tmp_path)
    (tmp_path / "a.css").unlink()
    assert [(name, file.body) for name, file in loaded.items()] == [("a.css", b"a {}")]
