"""The commands of the README and the tutorial work, and print what the pages show.

Commands of the local run are run here, against one system that the tutorial itself starts. Commands for a
cluster are run by the cluster's tests: a table names the test, and an unknown command fails.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from devcluster.waiting import wait_until

from tests.docs.pages import ROOT, commands, shown, written
from tests.support.local_system import LocalSystem

README, TUTORIAL = ROOT / "README.md", ROOT / "docs/getting-started.md"
# Where a command that is not run here is run: a file, and the text in it that does so.
ELSEWHERE = {
    "make test": (".ci/run", "exec make test"),
    "make lint": (".github/workflows/ci.yml", "make lint"),
    "make build": ("Makefile", "test: build"),
    ".venv/bin/pytest services/storage": ("pyproject.toml", 'testpaths = ["services"'),
    "make images": ("tests/cluster/conftest.py", "archives()"),
    "make up": ("tests/cluster/conftest.py", "up(machine, archives(), say)"),
    "helm install deltastream charts/deltastream --namespace deltastream --create-namespace --wait"
    " --set image.registry=registry.example.com": ("tests/cluster/conftest.py", "install(made"),
    "helm test deltastream --namespace deltastream": ("tests/cluster/test_install.py", "smoke(system)"),
    "kubectl --namespace deltastream apply -f k8s/samples/ --selector 'deltastream.dev/needs!=internet'": (
        "operator/tests/api_server/test_crd.py",
        '"--selector=deltastream.dev/needs!=internet"',
    ),
    "kubectl --namespace deltastream get dsf": ("tests/cluster/test_feeds.py", '"get", "dsf", name'),
    "kubectl --namespace deltastream annotate dsf synthetic deltastream.dev/paused=true": (
        "tests/cluster/test_feeds.py",
        '"annotate", f"dsf/{name}", "deltastream.dev/paused=true"',
    ),
    "kubectl --namespace deltastream annotate dsf synthetic deltastream.dev/paused-": (
        "tests/cluster/test_feeds.py",
        '"annotate", f"dsf/{name}", "deltastream.dev/paused-"',
    ),
    "make run FEEDS=k8s/samples/instead/pushed.yaml": (
        "tests/integration/conftest.py",
        "k8s/samples/instead/pushed.yaml",
    ),
    "bin/deltastream login --register --email desk@example.com": (
        "tests/integration/test_command_line.py",
        '["login", "--register", "--email"',
    ),
    "EMAIL=desk@example.com PASSWORD=a-long-password FEED=pushed PRODUCT=DESK examples/push.sh": (
        "tests/integration/test_push.py",
        'ROOT / "examples/push.sh"',
    ),
    "your-program | EMAIL=desk@example.com PASSWORD=a-long-password python3 examples/push.py pushed": (
        "tests/integration/test_push.py",
        'ROOT / "examples/push.py"',
    ),
    "make run FEEDS=k8s/samples/deribit-btc.yaml": (
        "tests/integration/deribit_session.py",
        "running(home",
    ),
    "bin/deltastream check-source k8s/samples/deribit-btc.yaml": (
        "operator/tests/command_line/test_sources.py",
        'run("check-source", file',
    ),
    "kubectl --namespace deltastream apply -f k8s/samples/deribit-btc.yaml": (
        "tests/cluster/test_sources.py",
        'sample("deribit-btc.yaml"',
    ),
    "curl 'localhost:8000/api/data/chain/BTC?limit=1'": (
        "tests/integration/deribit_session.py",
        "/api/data/chain/BTC?limit=1",
    ),
    "make run FEEDS=k8s/samples/instead/kite.yaml": (
        "tests/integration/test_kite.py",
        "running(tmp_path",
    ),
    "bin/deltastream check-source k8s/samples/instead/kite.yaml": (
        "services/feed-generator/tests/test_processes.py",
        '"check-source"',
    ),
    "make parquet": ("Makefile", "requirements/cli.txt requirements/parquet.txt"),
    "bin/deltastream record synthetic --out day.parquet": (
        "tests/integration/replays.py",
        'run("record", feed, "--out"',
    ),
    "bin/deltastream export SPY --as-recording": (
        "tests/integration/test_recordings.py",
        '"SPX", "--as-recording"',
    ),
    "bin/deltastream convert day.parquet day.messages.gz": (
        "tests/integration/replays.py",
        'run("convert"',
    ),
    "make run FEEDS=mine.yaml": ("docs/getting-started.md", "make start FEEDS=mine.yaml"),
    "kubectl --namespace deltastream apply -f mine.yaml": ("tests/cluster/feeds.py", "cluster.apply("),
    "curl 'localhost:8000/api/data/chain/SPY?limit=1'": (
        "docs/getting-started.md",
        "/api/data/chain/QQQ?limit=1",
    ),
}
# No test runs these commands. They may stand on pages for administrators only.
ADMINISTRATION = {ROOT / "docs/backup.md", ROOT / "docs/how-to/rotate.md", ROOT / "docs/how-to/scale.md"}
ADMINISTRATION |= {ROOT / f"docs/how-to/{page}.md" for page in ("cluster", "feeds", "kite", "push")}
WITHOUT_TEST = re.compile(
    r"(umask|printf|kubectl|helm upgrade|curl https://|curl --header|new=\$\(openssl|old=\$\(kubectl) ?.*",
    re.DOTALL,
)


class Reader:
    """Somebody who types the commands of a page, on ports and in folders of this test."""

    def __init__(self, system: LocalSystem, folder: Path) -> None:
        self.system, self._folder = system, folder

    def here(self, text: str) -> str:
        """Return a command or an output of a page with the ports and folders of this test."""
        for service, port in (("API_GATEWAY", 8000), ("SOCKET_GATEWAY", 8002)):
            text = text.replace(f"localhost:{port}", f"localhost:{self.system.ports[service]}")
        return text.replace(".local", str(self.system.home)).replace(
            "mine.yaml", str(self._folder / "mine.yaml")
        )

    def types(self, command: str) -> str:
        """Run a command and return its output. Fails the test if its exit code is not 0."""
        argv, env = ["bash", "-c", self.here(command)], self.system.env()
        if command.startswith("bin/deltastream"):  # the pages show its tables as in a terminal of 80 columns
            argv = ["script", "-qec", f"stty cols 80; {self.here(command)}", "/dev/null"]
            env |= {"TERM": "dumb"}
        done = subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def sees(self, command: str, output: str) -> None:
        """Run a command until it prints `output`, in which `...` stands for any text."""
        parts = [
            re.escape(part.strip()) for part in re.split(r"\.\.\.,?|\n", self.here(output)) if part.strip()
        ]
        pattern = re.compile(".*".join(parts), re.DOTALL)
        wait_until(lambda: bool(pattern.search(self.types(command))), f"{command} prints {output}", 60)

    @contextmanager
    def runs(self, command: str) -> Iterator[Path]:
        """Run a command in a terminal of its own until Ctrl-C, and yield the file with its output."""
        out = self._folder / "terminal"
        with out.open("wb") as terminal:
            process = subprocess.Popen(
                self.here(command).split(),
                cwd=ROOT,
                env=self.system.env(),
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        ready = self.system.home / "run/ready"
        try:
            wait_until(lambda: ready.exists() or process.poll() is not None, "the system is ready", 150)
            assert process.poll() is None, out.read_text()
            yield out
        finally:
            left = self.system.pids()
            os.killpg(process.pid, signal.SIGINT)
            process.wait(90)
            assert not [name for name, pid in left.items() if psutil.pid_exists(pid)]


def test_the_tutorial_and_the_readme_print_what_they_show(tmp_path: Path) -> None:
    """The test types the commands of the tutorial in their order, and the README's calls beside them."""
    home = tmp_path / "home"
    home.mkdir()
    reader = Reader(LocalSystem(home), tmp_path)
    (first, printed), *rest = list(shown(TUTORIAL.read_text()))
    then = next(at for at, (command, _) in enumerate(rest) if command.startswith("cat > mine.yaml"))
    calls = [pair for pair in shown(README.read_text()) if pair[0].startswith("curl")]
    with reader.runs(first) as terminal:
        lines = [line.strip() for line in terminal.read_text().splitlines()]
        assert [line for line in reader.here(printed).splitlines() if line.strip() not in lines] == []
        for command, output in [*rest[:then], *calls]:
            reader.sees(command, output)
    for command, _ in rest[then:]:
        output = reader.types(command)
        assert output or command.startswith("cat >"), command
    assert not reader.system.pids() or not any(map(psutil.pid_exists, reader.system.pids().values()))


@pytest.mark.parametrize("file", written(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_other_command_is_run_by_a_test(file: Path) -> None:
    """The table names the test. A command that no test runs may stand on a page for administrators only."""
    run_here = set(commands(TUTORIAL.read_text())) | {
        command for command in commands(README.read_text()) if command.startswith("curl")
    }
    for command in set(commands(file.read_text())) - run_here:
        if command in ELSEWHERE:
            where, text = ELSEWHERE[command]
            assert text in (ROOT / where).read_text(), f"{where} does not run: {command}"
        else:
            assert file in ADMINISTRATION, f"no test runs: {command}"
            assert WITHOUT_TEST.fullmatch(command), f"no test runs: {command}"


def test_a_rotation_names_secrets_and_keys_that_the_chart_creates() -> None:
    plan = (ROOT / "k8s/base/init-secrets.yaml").read_text()
    page = "\n".join(commands((ROOT / "docs/how-to/rotate.md").read_text()))
    secrets = set(re.findall(r"secret (deltastream-[a-z]+)", page))
    keys = set(re.findall(r'"([a-z_-]+)\\?":', page)) - {"data"}
    assert len(secrets) == 3
    assert len(keys) == 5
    assert [name for name in secrets | keys if not re.search(rf"\b{name}\b", plan)] == []


def test_an_unknown_command_is_found(tmp_path: Path) -> None:
    assert list(commands("```sh\nmake unheard-of\n```\n")) == ["make unheard-of"]
    assert "make unheard-of" not in ELSEWHERE
    assert not WITHOUT_TEST.fullmatch("make unheard-of")
