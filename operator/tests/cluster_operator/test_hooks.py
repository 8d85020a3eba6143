"""The hooks' commands without a cluster: plans of Secrets, refused connections, settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from devcluster.ports import free_port

from deltastream_operator.errors import OperatorError
from deltastream_operator.hooks import init_secrets, refused, smoke

KEYS = {
    "password": {"random": 8},
    "url": {"template": "redis://app:{password}@host:6379/0"},
    "clients": {"template": '{"gateway": {"secret": "{password}"}}'},
}


def fixed(length: int) -> str:
    """No randomness."""
    return "r" * length


def test_templates_are_filled_with_keys_of_the_secret() -> None:
    """Rule: braces of JSON stay, braces of a key are replaced."""
    values = init_secrets.fill(KEYS, {}, fixed)
    assert values["url"] == "redis://app:rrrrrrrr@host:6379/0"
    assert values["clients"] == '{"gateway": {"secret": "rrrrrrrr"}}'


def test_a_random_value_is_never_made_again() -> None:
    """Rule: an upgrade keeps passwords and writes templates again whose result differs."""
    kept = {"password": "old", "url": "redis://app:old@renamed:6379/0", "foreign": "x"}
    values = init_secrets.fill(KEYS, kept, fixed)
    assert values["password"] == "old"
    assert values["url"] == "redis://app:old@host:6379/0"
    assert values["foreign"] == "x"
    assert init_secrets.fill(KEYS, values, lambda length: "never") == values


@pytest.mark.parametrize("length", [6, 32, 64])
def test_random_text_has_its_length_and_needs_no_escaping(length: int) -> None:
    """Rule: it stands in URLs, files and a MongoDB keyfile as it is."""
    made = {init_secrets.random_text(length) for _ in range(50)}
    assert len(made) == 50
    assert all(len(text) == length and text.isascii() and text.isalnum() for text in made)


def test_a_plan_that_is_none_is_said_in_a_line(tmp_path: Path) -> None:
    """Rule: file, Secret, key and rule are named."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("secrets: [{name: x, keys: {k: {randon: 3}}}]")
    with pytest.raises(OperatorError, match=r"x\.k: must be one of random \(a length\) and template"):
        init_secrets.read_plan(plan)
    plan.write_text("secrets: [{name: x, keys: {k: {random: !!int ''}}}]")
    with pytest.raises(OperatorError, match=r"plan\.yaml: line 1: tags \(!!int\) are not allowed"):
        init_secrets.read_plan(plan)
    plan.write_text("secrets: [{name: x, keys: {k: {random: many}}}]")
    with pytest.raises(OperatorError, match=r"x\.k: must be one of random \(a length\) and template"):
        init_secrets.read_plan(plan)
    plan.write_text("nothing")
    with pytest.raises(OperatorError, match="is not a plan"):
        init_secrets.read_plan(plan)


def test_refused_tells_who_took_a_connection() -> None:
    """Rule: only an address that takes no connection is proof."""

    async def ask() -> list[str]:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            taken = server.sockets[0].getsockname()[1]
            return await refused.run([f"127.0.0.1:{taken}", f"127.0.0.1:{free_port()}", "127.0.0.1:x"])

    said = asyncio.run(ask())
    assert len(said) == 2
    assert said[0].endswith("took a connection")
    assert "proves nothing" in said[1]


def test_smoke_names_the_setting_that_is_missing(tmp_path: Path) -> None:
    """Rule: variable and rule, not a traceback."""
    feed = tmp_path / "feed.yaml"
    feed.write_text("{}")
    with pytest.raises(OperatorError, match="NAMESPACE: must be set"):
        smoke.load({"FEED_FILE": str(feed)})
    with pytest.raises(OperatorError, match="smoke's settings"):
        smoke.load({"FEED_FILE": str(tmp_path / "none")})
