"""The chart's README documents the values in values.yaml."""

from __future__ import annotations

import re

import pytest
from scripts import render_values

from tests.chart.render import CHART

README = (CHART / "README.md").read_text()
VALUES = (CHART / "values.yaml").read_text()


def test_the_table_matches_values_yaml() -> None:
    """Fails if `make base` was not run after the last change of values.yaml."""
    assert render_values.rendered(README, VALUES) == README


def test_every_row_has_a_meaning_and_no_key_comes_twice() -> None:
    rows = list(render_values.Documented(VALUES).rows())
    assert len({row.key for row in rows}) == len(rows) > 100
    assert all(row.meaning for row in rows)


@pytest.mark.parametrize(
    ("text", "key"),
    [("# Of something.\nsome:\n  thing: 1\n", "some.thing"), ("some:\n  # A thing.\n  thing: 1\n", "some")],
)
def test_a_key_without_a_comment_is_named(text: str, key: str) -> None:
    with pytest.raises(SystemExit, match=f"{key} has no comment"):
        render_values.table(text)


def test_a_component_uses_the_comments_of_the_first_component() -> None:
    first = "# One.\none:\n  # Pods.\n  replicas: 1\n  # Notes.\n  podAnnotations: {}\n"
    second = "# Two.\ntwo:\n  replicas: 2\n  podAnnotations: {}\n"
    assert "| `two.replicas` | `2` | Pods. |" in render_values.table(first + second)
    with pytest.raises(SystemExit, match=r"two\.replicas"):
        render_values.table(first + second.replace("  podAnnotations: {}\n", ""))


def test_every_link_leads_to_a_file() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (CHART / link).exists()] == []
