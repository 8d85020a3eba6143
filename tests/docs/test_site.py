"""The site builds strictly, works offline, and its reference has everything that the code has."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from scripts.documentation import rulebook, settings
from scripts.render_values import Documented

from tests.docs.pages import ROOT

_LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site that `make docs` builds. A dead link or a page outside the navigation ends the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        ["make", "docs", f"SITE={folder}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def words(site: Path, page: str) -> str:
    """Return the text of a page."""
    text = (site / page).read_text()
    return unescape(re.sub(r"<[^>]+>", "", text[text.index("<article") : text.index("</article")]))


class _Assets(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if dict(attrs).get("rel") != "canonical":
            self.found += [value or "" for name, value in attrs if (tag, name) in _LOADED]


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        parser = _Assets()
        parser.feed(page.read_text())
        assert parser.found
        assert [asset for asset in parser.found if re.match(r"(https?:)?//", asset)] == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text()), sheet


def test_the_reference_has_every_route_and_parameter(site: Path) -> None:
    text = words(site, "reference/rest.html")
    for route in re.findall(r'"/(api/[^"]+)"', json.dumps(_openapi()["paths"])):
        assert f"/{route}" in text


def _openapi() -> dict[str, dict[str, object]]:
    from scripts.documentation import rest

    return rest.document()


@pytest.mark.parametrize("service", settings.SERVICES)
def test_the_reference_has_every_setting_with_a_meaning(site: Path, service: str) -> None:
    text = words(site, "reference/settings.html")
    for name, field in settings.settings_class(service).model_fields.items():
        assert name.upper() in text
        assert field.description, f"{service}: {name} has no description"


def test_the_reference_has_every_message_and_field(site: Path) -> None:
    text = words(site, "reference/messages.html")
    for file in (ROOT / "services/contracts/schemas").glob("*.json"):
        assert file.name.removesuffix(".schema.json") in text
        for field in json.loads(file.read_text()).get("properties", {}):
            assert field in text


def test_the_reference_has_every_lot_and_expiry_rule_with_its_source(site: Path) -> None:
    """A reader can check each row, and sees which ones nobody has checked."""
    text = words(site, "reference/rulebook.html")
    data = json.loads(rulebook.FILE.read_text())
    for product in data["products"].values():
        for row in (*product["lot_size"], *product["expiries"]):
            assert re.search(rf"^{row['from']}$[^:]*?^{re.escape(row['by'])}$", text, re.MULTILINE), row
    assert [source for source in data["sources"].values() if source["says"] not in text] == []


def test_the_reference_has_every_value_of_the_chart(site: Path) -> None:
    text = words(site, "reference/values.html")
    for row in Documented((ROOT / "charts/deltastream/values.yaml").read_text()).rows():
        assert row.key.strip("*`") in text


def test_the_reference_has_every_field_of_a_feed(site: Path) -> None:
    text = " ".join(words(site, "reference/feed.html").split())
    crd = yaml.safe_load((ROOT / "k8s/crd/deltastreamfeed.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    said = [*_descriptions(schema["spec"]["properties"]), *_descriptions(schema["status"]["properties"])]
    assert len(said) > 40
    assert [one for one in said if " ".join(one.replace("`", "").split()) not in text] == []


def _descriptions(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema["description"]
        for value in schema.values():
            yield from _descriptions(value)


def test_the_reference_has_every_metric_that_the_alerts_use(site: Path) -> None:
    """The exceptions are series of the rules themselves and of the platform."""
    text = words(site, "reference/metrics.html")
    used = set()
    for file in (ROOT / "charts/deltastream/files/alerts").glob("*.yaml"):
        for rule in _expressions(yaml.safe_load(file.read_text())):
            used |= set(re.findall(r"\b[a-z]+(?:_[a-z]+)+(?=\{)", rule))
    assert len(used) > 15
    assert [name for name in used if re.sub("_(bucket|sum|count)$", "", name) not in text] == []


def _expressions(rules: object) -> Iterator[str]:
    if isinstance(rules, dict):
        yield from (str(value) for name, value in rules.items() if name == "expr")
        for value in rules.values():
            yield from _expressions(value)
    elif isinstance(rules, list):
        for one in rules:
            yield from _expressions(one)


def test_the_reference_has_every_event_and_code_of_the_socket_gateway(site: Path) -> None:
    text = words(site, "reference/socketio.html")
    source = ROOT / "services/socket-gateway/socket_gateway"
    sent = {
        name
        for file in source.glob("*.py")
        for name in re.findall(r'(?:send_event|event_packet|Event)\("([a-z_]+)"', file.read_text())
    }
    assert sent >= {"connected", "subscribed", "underlying_update", "chain_update"}
    assert [name for name in sent if name not in text] == []
