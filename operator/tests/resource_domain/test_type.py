"""The resource's type is written down once."""

from __future__ import annotations

from pathlib import Path

import yaml

from deltastream_operator.domain.feed import API_VERSION, KIND
from deltastream_operator.kubernetes import names

ROOT = Path(__file__).resolve().parents[3]


def test_the_crd_declares_the_type_that_the_operator_reads_and_writes() -> None:
    """Group, version, kind and plural of the CRD are those of the parser and of the API's paths."""
    (crd,) = yaml.safe_load_all((ROOT / "k8s/crd/deltastreamfeed.yaml").read_text())
    group, kinds = crd["spec"]["group"], crd["spec"]["names"]
    (version,) = [each["name"] for each in crd["spec"]["versions"] if each["served"]]
    assert f"{group}/{version}" == API_VERSION
    assert (group, version) == (names.GROUP, names.VERSION)
    assert (kinds["kind"], kinds["plural"]) == (KIND, names.PLURAL)
