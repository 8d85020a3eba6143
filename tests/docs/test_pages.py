"""Pages are short where promised, their links lead somewhere, and each code and reason is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts.documentation import codes

from tests.docs.pages import ROOT, anchors, commands, links, prose, written

TROUBLE = (ROOT / "docs/troubleshooting.md").read_text()
GENERATED = {
    f"docs/reference/{name}.md"
    for name in ("rest", "socketio", "messages", "feed", "rulebook", "values", "settings", "metrics")
}
ADDED = re.compile(r"docs/(components/[a-z-]+|changelog|contributing|security)\.md")


def test_the_readme_has_at_most_1200_words() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1200


@pytest.mark.parametrize("file", written(), ids=lambda file: str(file.relative_to(ROOT)))
def test_its_links_lead_to_files_and_headings(file: Path) -> None:
    """A link may also lead to a page that exists on the site only; building the site checks those."""
    for target in links(file.read_text()):
        path, _, anchor = target.partition("#")
        found = (file.parent / path).resolve() if path else file
        name = str(found.relative_to(ROOT))
        if name in GENERATED or ADDED.fullmatch(name):
            continue
        assert found.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(found.read_text()), f"{target}: no such heading"


@pytest.mark.parametrize("collect", [codes.error_codes, codes.condition_reasons, codes.data_reasons])
def test_troubleshooting_explains_every_code_and_reason(collect: object) -> None:
    assert callable(collect)
    found = set(collect())
    assert len(found) > 20
    assert sorted(name for name in found if name.lower() not in anchors(TROUBLE)) == []


def test_troubleshooting_explains_no_code_that_does_not_exist() -> None:
    """A heading of one word is a code or a reason."""
    known = {*codes.error_codes(), *codes.condition_reasons(), *codes.data_reasons()}
    words = re.findall(r"^###+ ([A-Za-z_]+)$", prose(TROUBLE), re.MULTILINE)
    assert [word for word in words if word not in known] == []
    assert len(words) == len(set(words)) > 90


def test_every_alert_of_a_live_source_leads_to_the_reasons_of_its_condition() -> None:
    sections = re.split(r"^### ", (ROOT / "docs/alerts.md").read_text(), flags=re.MULTILINE)
    live = [section for section in sections if section.startswith("DeltaStreamSource")]
    assert len(live) == 4
    assert [section for section in live if "(troubleshooting.md#" not in section] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for file in written():
        text = file.read_text()
        named = re.findall(r"`make ([a-z-]+)", text) + re.findall(
            r"^make ([a-z-]+)", "\n".join(commands(text)), re.M
        )
        assert set(named) <= targets, file


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('TABLE = {Busy: (503, "sample_a")}', {"sample_a"}),
        ('problems.problem(500, "sample_b", text)', {"sample_b"}),
        ('_CODES = {404: "sample_c"}', {"sample_c"}),
        ('return "503 Service Unavailable", "sample_d"', {"sample_d"}),
        ('class Bad(GatewayError):\n    code = "sample_e"', {"sample_e"}),
        ('raise Refused("sample_f", text)', {"sample_f"}),
        ('labels("sample_g")', set()),
    ],
)
def test_a_code_is_found_in_each_form_in_which_the_services_write_one(
    source: str, expected: set[str]
) -> None:
    assert set(codes.codes_in(source)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('Problem(reason="SampleA", message=text)', {"SampleA"}),
        ('_FULL = "SampleB"\nreason = _FULL', {"SampleB"}),
        ('reason, wanted = "SampleC", 1', {"SampleC"}),
        ('Reason = Literal["SampleD"]', {"SampleD"}),
        ('_KNOWN = frozenset({"SampleG"})\nstate.get("reason") in _KNOWN', {"SampleG"}),
        ('_trouble("Paused", paused, "SampleE", text)', {"SampleE"}),
        ('Event(kind="SampleF")', set()),
    ],
)
def test_a_reason_is_found_in_each_form_in_which_the_operator_writes_one(
    source: str, expected: set[str]
) -> None:
    assert set(codes.reasons_in(source)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('raise Dropped("SampleA", "Text")', {"SampleA"}),
        ('self._change(True, True, "SampleB", message)', {"SampleB"}),
        ('reason: str = "SampleC"', {"SampleC"}),
        ('Other("SampleD")', set()),
    ],
)
def test_a_reason_is_found_in_each_form_in_which_a_live_source_writes_one(
    source: str, expected: set[str]
) -> None:
    assert set(codes.connection_reasons_in(source)) == expected
