"""Test the commands of the Helm hooks without a cluster: plans of Secrets, refused connections, settings."""

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
    """Return a constant text in place of random characters."""
    return "r" * length


def test_templates_are_filled_with_keys_of_the_secret() -> None:
    """A template replaces `{key}` with the value of that key. Other braces, such as those of JSON, stay."""
    values = init_secrets.fill(KEYS, {}, fixed)
    assert values["url"] == "redis://app:rrrrrrrr@host:6379/0"
    assert values["clients"] == '{"gateway": {"secret": "rrrrrrrr"}}'


def test_an_existing_random_value_is_kept_and_templates_are_filled_again() -> None:
    """An upgrade keeps passwords. It rewrites the templates whose result differs."""
    kept = {"password": "old", "url": "redis://app:old@renamed:6379/0", "foreign": "x"}
    values = init_secrets.fill(KEYS, kept, fixed)
    assert values["password"] == "old"
    assert values["url"] == "redis://app:old@host:6379/0"
    assert values["foreign"] == "x"
    assert init_secrets.fill(KEYS, values, lambda length: "never") == values


@pytest.mark.parametrize("length", [6, 32, 64])
def test_random_text_has_its_length_and_needs_no_escaping(length: int) -> None:
    """The text is used without escaping in URLs, files and a MongoDB keyfile."""
    made = {init_secrets.random_text(length) for _ in range(50)}
    assert len(made) == 50
    assert all(len(text) == length and text.isascii() and text.isalnum() for text in made)


def test_an_invalid_plan_is_refused_with_the_place_of_the_error(tmp_path: Path) -> None:
    """The error names the file, the Secret, the key and the rule."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("secrets: [{name: x, keys: {k: {randon: 3}}}]")
    with pytest.raises(OperatorError, match=r"x\.k: must have exactly one of random \(a length\)"):
        init_secrets.read_plan(plan)
    plan.write_text("secrets: [{name: x, keys: {k: {random: !!int ''}}}]")
    with pytest.raises(OperatorError, match=r"plan\.yaml: line 1: tags \(!!int\) are not allowed"):
        init_secrets.read_plan(plan)
    plan.write_text("secrets: [{name: x, keys: {k: {random: many}}}]")
    with pytest.raises(OperatorError, match=r"x\.k: must have exactly one of random \(a length\)"):
        init_secrets.read_plan(plan)
    plan.write_text("nothing")
    with pytest.raises(OperatorError, match="must be a plan of Secrets"):
        init_secrets.read_plan(plan)


def test_refused_reports_addresses_that_accept_a_connection_or_do_not_resolve() -> None:
    """Only an address that refuses the connection passes. A name that does not resolve shows nothing."""

    async def ask() -> list[str]:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            accepting = server.sockets[0].getsockname()[1]
            return await refused.run([f"127.0.0.1:{accepting}", f"127.0.0.1:{free_port()}", "127.0.0.1:x"])

    failures = asyncio.run(ask())
    assert len(failures) == 2
    assert failures[0].endswith("accepted a connection")
    assert "the check is not possible" in failures[1]


def test_smoke_names_the_setting_that_is_missing(tmp_path: Path) -> None:
    """The error names the variable and the rule, and there is no traceback."""
    feed = tmp_path / "feed.yaml"
    feed.write_text("{}")
    with pytest.raises(OperatorError, match="NAMESPACE: must be set"):
        smoke.load({"FEED_FILE": str(feed)})
    with pytest.raises(OperatorError, match="settings of the smoke test"):
        smoke.load({"FEED_FILE": str(tmp_path / "none")})
