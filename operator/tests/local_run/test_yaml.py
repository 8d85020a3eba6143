"""Test the strict YAML parser: it accepts only what JSON can express and reports errors by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deltastream_operator.parsing import strict_yaml
from deltastream_operator.parsing.strict_yaml import YamlError, documents

TAG, DEEP = "are not allowed; write the value without a tag", "is nested too deeply, more than 32 levels"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a: 1\nb: !!int ""', f"line 2: tags (!!int) {TAG}"),
        ('a: !!float ""', f"line 1: tags (!!float) {TAG}"),
        ("a: !!bool maybe", f"line 1: tags (!!bool) {TAG}"),
        ("a: !!timestamp foo", f"line 1: tags (!!timestamp) {TAG}"),
        ("a: !!null x", f"line 1: tags (!!null) {TAG}"),
        ("a: !!map [a]", f"line 1: tags (!!map) {TAG}"),
        ("a: !!set [a]", f"line 1: tags (!!set) {TAG}"),
        ("a: !!omap {a: b}", f"line 1: tags (!!omap) {TAG}"),
        ("a: !!binary =", f"line 1: tags (!!binary) {TAG}"),
        ("a: !!str 5", f"line 1: tags (!!str) {TAG}"),
        ("a: !!python/object/apply:os.system [x]", f"line 1: tags (!!python/object/apply:os.system) {TAG}"),
        ("a: !x y", f"line 1: tags (!x) {TAG}"),
        ("a: ! y", f"line 1: tags (!) {TAG}"),
        ("a:\n- !!map\n  b: c", f"line 2: tags (!!map) {TAG}"),
        ("[" * 3000, f"line 1: {DEEP}"),
        ("[\n" * 3000, f"line 33: {DEEP}"),
        ("{a: " * 3000, f"line 1: {DEEP}"),
        ("- " * 3000, f"line 1: {DEEP}"),
        ("? " * 3000, f"line 1: {DEEP}"),
        ("a: &x [1]\nb: *x", "line 2: aliases (*name) are not allowed; write out the value"),
        ("a: &x [*x]", "line 1: aliases (*name) are not allowed; write out the value"),
        ("*x", "line 1: aliases (*name) are not allowed; write out the value"),
        ("a:\n  <<: {b: 1}", "line 2: merge keys (<<) are not allowed; write out the fields"),
        ("a: 1\nb: 2\na: 3", "line 3: a occurs twice; remove one"),
        ('"\\e[1m": 1\n"\\e[1m": 2', "line 2: '\\x1b[1m' occurs twice; remove one"),
        ("? [a]\n: b", "line 1: a key must be text, not a list"),
        ("1: b", "line 1: a key must be text, not 1"),
        ("on: b", "line 1: a key must be text, not True"),
        ("a: 1\nb: " + "9" * 5000, "line 2: a number of more than 400 digits"),
        ("a: 0x" + "f" * 5000, "line 1: a number of more than 400 digits"),
        ("a: 1e999", "line 1: 1e999 is not a finite number; quote it if it is text"),
        ("a: -.inf", "line 1: -.inf is not a finite number; quote it if it is text"),
        ("a: .NaN", "line 1: .NaN is not a finite number; quote it if it is text"),
        ("a: b\nc: \0", "line 2: not YAML: contains the character U+0000"),
        ("a: \x1b[1m", "line 1: not YAML: contains the character U+001B"),
        ("a:\n\t- b", "line 2: not YAML: found character '\\t' that cannot start any token"),
        ('a:\n  "\\UFFFFFFFF"', "line 2: not YAML: contains an escape that is not a character"),
        ('a:\n  "\\ud800"', "line 2: contains half of a surrogate pair, which is not a character"),
        ("%YAML 2.0\n---\na: 1", "line 1: not YAML: found incompatible YAML document"),
        ("a: b: c", "line 1: not YAML: mapping values are not allowed here"),
        ("[" + "a, " * 20_001 + "]", "line 1: contains more than 20,000 values"),
        ("a" * 1_000_001, "is larger than 1,000,000 characters"),
    ],
)
def test_yaml_that_json_cannot_express_is_refused_with_its_line(text: str, message: str) -> None:
    """Each text gives one message of one line, also where PyYAML would accept it or raise another error."""
    with pytest.raises(YamlError) as caught:
        documents(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, -2, 0x1F, 0b11, 010, 0o17, +3]", [1, -2, 31, 3, 8, 15, 3]),
        ("[1.5, .5, 1e3]", [1.5, 0.5, 1000.0]),
        ("[true, No, on]", [True, False, True]),
        ("[~, null, ]", [None, None]),
        ("['1', \"true\", '~', '']", ["1", "true", "~", ""]),
        ("[2024-06-21, 1:30, 1_000, =, 0x_]", ["2024-06-21", "1:30", "1_000", "=", "0x_"]),
        ("\ufeffa: 1\r\nb:\r\n- c\r\n", {"a": 1, "b": ["c"]}),
        ("&x a: |\n  b\n  c\n", {"a": "b\nc\n"}),
    ],
)
def test_values_that_json_can_express_are_read(text: str, value: object) -> None:
    """Plain scalars have the types that kubectl gives them. Dates and numbers of only YAML 1.1 stay text."""
    assert documents(text) == [value]


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? "])
def test_parsing_stops_at_the_depth_limit(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for each token grows with the open brackets, so the parser must not read to the end."""
    tokens = 0
    fetch: Callable[[yaml.SafeLoader], None] = yaml.SafeLoader.fetch_more_tokens

    def count(loader: yaml.SafeLoader) -> None:
        nonlocal tokens
        tokens += 1
        fetch(loader)

    monkeypatch.setattr(yaml.SafeLoader, "fetch_more_tokens", count)
    with pytest.raises(YamlError, match=DEEP):
        documents(piece * 100_000)
    assert tokens < 3000


def test_each_unreadable_file_gives_a_one_line_error(tmp_path: Path) -> None:
    """Cases: an endless device, a folder, a loop of links, a too long name, and bytes that are not UTF-8."""
    circle, latin = tmp_path / "circle", tmp_path / "latin"
    circle.symlink_to(circle)
    latin.write_bytes("prix: 5 \xa3".encode("latin-1"))
    for file, message in (
        (Path("/dev/zero"), "is larger than 1,000,000 characters"),
        (Path("/dev/urandom"), "is larger than 1,000,000 characters"),
        (tmp_path, "cannot be read: Is a directory"),
        (circle, "cannot be read: Too many levels of symbolic links"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        (latin, "is not UTF-8 text"),
    ):
        with pytest.raises(YamlError, match=f"^{message}$"):
            strict_yaml.read(file)
