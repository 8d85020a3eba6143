"""`make kind-up` calls kind, the container engine and kubectl correctly. Here fakes record the calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from devcluster import kind
from devcluster.images.catalogue import chart_version, products
from devcluster.kube import Refused

PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$(dirname "$0")/calls"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of fake programs that record their arguments."""
    for name in ("docker", "kind", "kubectl"):
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(kind, "kubectl", lambda: tmp_path / "kubectl")
    monkeypatch.setattr(kind, "kubeconfig", lambda: tmp_path / "kubeconfig")
    return tmp_path


def test_every_image_that_the_engine_built_is_loaded_into_the_cluster(programs: Path) -> None:
    """The product's images are in no registry, so the cluster cannot pull them."""
    kind.up(lambda _: None)
    calls = (programs / "calls").read_text().splitlines()
    for recipe in products(chart_version()):
        (saved,) = [call for call in calls if call.startswith("docker save") and call.endswith(recipe.name)]
        archive = saved.split()[2].removeprefix("--output=")
        assert calls.index(saved) < calls.index(f"kind load image-archive {archive} --name {kind.NAME}")
    assert any(call.startswith("kubectl") and "marker.yaml" in call for call in calls)


def test_without_an_engine_it_fails_before_it_creates_anything(programs: Path) -> None:
    (programs / "docker").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(Refused, match="neither docker nor podman"):
        kind.up(lambda _: None)
    assert not (programs / "calls").exists()
