"""Every Dockerfile keeps the rules, and each rule finds a planted violation."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from devcluster.images.catalogue import ROOT, SERVICES, STANDINS, products

from tests.images import rules

FOLDERS = [recipe.folder for recipe in products("1")]
DOCKERFILES = [folder / "Dockerfile" for folder in FOLDERS]
GOOD = (ROOT / "services" / "storage" / "Dockerfile").read_text()

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def test_the_nine_folders_have_a_dockerfile_and_no_other() -> None:
    """Fails if a new service has no Dockerfile or is missing in the catalogue."""
    services = sorted(path.parent for path in (ROOT / "services").glob("*/requirements.in"))
    assert [folder.name for folder in services] == sorted(SERVICES)
    found = sorted(path for path in (*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("operator/Dockerfile")))
    assert found == sorted(DOCKERFILES)


@each_folder
def test_a_dockerfile_keeps_every_rule(folder: Path) -> None:
    """The rules are those of docs/kubernetes.md."""
    assert rules.broken((folder / "Dockerfile").read_text()) == []


@pytest.mark.parametrize(
    ("broken", "old", "new"),
    [
        ("two stages from the one base", "python:3.11-slim-bookworm AS", "python:3.12-slim AS"),
        (
            "the environment is /opt/venv, first in PATH",
            "PATH=/opt/venv/bin:$PATH",
            "PATH=$PATH:/opt/venv/bin",
        ),
        ("installs wheels by hash only", "--require-hashes ", ""),
        ("installs wheels by hash only", "--only-binary=:all: ", ""),
        ("installs nothing of Debian's", "groupadd", "apt-get install -y curl && groupadd"),
        ("compiles what it runs", "-m compileall -q .", "--version"),
        ("the last stage takes only what the first has built", "COPY --from=build /app /app", "COPY . /app"),
        ("the user is 10001:10001", "USER 10001:10001", "USER root"),
        ("the user is 10001:10001", "USER 10001:10001\n", ""),
        ("the user has a passwd entry", "useradd --uid 10001", "useradd --uid 10002"),
        ("any other user can run it", "HOME=/tmp", "HOME=/app"),
        ("any other user can run it", " && chmod -R a+rX .", ""),
        ("the workdir is /app", "WORKDIR /app\nEXPOSE", "WORKDIR /srv\nEXPOSE"),
        (
            "starts in exec form",
            'CMD ["gunicorn", "-c", "gunicorn.conf.py", "app:app"]',
            "CMD gunicorn app:app",
        ),
        ("starts in exec form", 'CMD ["gunicorn", "-c", "gunicorn.conf.py", "app:app"]\n', ""),
        ("asks itself for its health", 'CMD ["python", "-m", "storage.chassis.health"]', "CMD true"),
        ("listens on all addresses at a port it exposes", "HOST=0.0.0.0", "HOST=127.0.0.1"),
        ("listens on all addresses at a port it exposes", "EXPOSE 8003", "EXPOSE 80"),
        ("has the OCI labels", 'org.opencontainers.image.licenses="MIT" \\\n    ', ""),
        ("adds nothing from elsewhere", "COPY requirements.txt ./", "ADD requirements.txt ./"),
        ("carries no secret", "HOST=0.0.0.0", "HOST=0.0.0.0 MONGO_PASSWORD=x"),
    ],
)
def test_a_planted_violation_is_found(broken: str, old: str, new: str) -> None:
    """Proves that each rule can fail."""
    assert old in GOOD
    assert broken in rules.broken(GOOD.replace(old, new))


@each_folder
def test_the_commands_of_an_image_name_existing_files(folder: Path) -> None:
    """Modules and files that ENTRYPOINT, CMD and HEALTHCHECK name exist."""
    lines = rules.instructions((folder / "Dockerfile").read_text())
    for command in (rules.command(lines), rules.health_command(lines)):
        for before, word in pairwise(command):
            if before == "-c" and command[0] == "python":
                compile(word, str(folder), "exec")
            elif before == "-m":
                module = folder / word.replace(".", "/")
                assert module.with_suffix(".py").exists() or (module / "__main__.py").exists(), word
            elif word.endswith((".py", ".conf")):
                assert (folder / word).exists(), word


@pytest.mark.parametrize(
    "folder", [ROOT / "services" / name for name in SERVICES], ids=lambda folder: folder.name
)
def test_a_services_health_check_is_its_own_module(folder: Path) -> None:
    """The health check calls the service on the port that it listens on, by default PORT."""
    package = folder.name.replace("-", "_")
    command = rules.health_command(rules.instructions((folder / "Dockerfile").read_text()))
    assert command[:3] == ["python", "-m", f"{package}.chassis.health"]


@pytest.mark.parametrize(
    "folder", [ROOT / "services" / name for name in SERVICES], ids=lambda folder: folder.name
)
def test_an_http_image_listens_on_the_port_of_its_settings(folder: Path) -> None:
    """The port is the documented one. The two services without an HTTP port use their metrics port."""
    package = folder.name.replace("-", "_")
    default = re.search(
        r"port: [^\n]*?(?:Field\((\d+)|= (\d+)\n)", (folder / package / "config.py").read_text()
    )
    port = next(filter(None, default.groups())) if default else "0"
    expected = port if port != "0" else {"feed-generator": "9100", "worker-enricher": "9101"}[folder.name]
    assert rules.environment(rules.instructions((folder / "Dockerfile").read_text()))["PORT"] == expected


def test_hadolint_finds_nothing() -> None:
    """No rule is ignored, also not in the stand-ins."""
    files = [*DOCKERFILES, *STANDINS.glob("*/Dockerfile")]
    assert not [path for path in files if "hadolint ignore" in path.read_text()]
    assert not list(ROOT.glob(".hadolint*"))
    done = _hadolint(*map(str, files))
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_finds_a_planted_violation(tmp_path: Path) -> None:
    """hadolint finds an unpinned package, so an empty result above is a proof."""
    (tmp_path / "Dockerfile").write_text("FROM debian:12\nRUN apt-get install -y curl\n")
    assert "DL3008" in _hadolint(str(tmp_path / "Dockerfile")).stdout


def _hadolint(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("hadolint")
    return subprocess.run([program, "--no-color", *arguments], capture_output=True, text=True, check=False)
