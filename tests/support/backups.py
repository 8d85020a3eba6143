"""Run the chart's backup scripts as its pods do: tools in PATH, settings in the environment."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from devcluster import golang
from devcluster.processes.stores import mongod

SCRIPTS = Path(__file__).resolve().parents[2] / "charts" / "deltastream" / "files" / "backup"


@dataclass
class Backups:
    """A folder of backups and the settings of the scripts: the database's `url` and how many to `keep`."""

    home: Path
    url: str
    keep: int = 7
    before: Callable[[], None] | None = None  # runs in the script's process before the script
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        tools = self.home / "bin"
        tools.mkdir()
        for program in (golang.mongodump(), golang.mongorestore(), Path(mongod())):
            (tools / program.name).symlink_to(program)
        self.path = f"{tools}:/usr/bin:/bin"

    @property
    def folder(self) -> Path:
        """The folder that replaces the pod's volume."""
        return self.home / "backups"

    def names(self) -> list[str]:
        """Return the sorted names in the folder, without hidden files."""
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))

    def run(self, script: str, *arguments: str) -> tuple[int, str]:
        """Run a script with an empty scratch folder. Returns its exit code and its output."""
        scratch = self.home / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        (self.home / "mongo_url").write_text(self.url)
        environment = {
            "PATH": self.path,
            "BACKUP_DIR": str(self.folder),
            "KEEP": str(self.keep),
            "MONGO_URL_FILE": str(self.home / "mongo_url"),
            "SCRATCH": str(scratch),
        }
        done = subprocess.run(
            ["bash", str(SCRIPTS / script), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
            preexec_fn=self.before,
        )
        return done.returncode, done.stdout

    def made(self) -> Path:
        """Create a backup and return its folder. Fails the test if the script fails."""
        code, output = self.run("backup.sh")
        assert code == 0, output
        return self.folder / output.split()[1].rstrip(":")

    def aged(self, count: int) -> list[str]:
        """Create `count` old, complete backups as copies of the newest. Returns their names, oldest first."""
        newest = self.folder / self.names()[-1]
        names = [f"202001{day:02}T021500Z" for day in range(1, count + 1)]
        for name in names:
            shutil.copytree(newest, self.folder / name)
        return names


def summed(backup: Path) -> None:
    """Write the checksums of the backup's present content."""
    command = "find . -type f ! -name SHA256SUMS | sort | xargs sha256sum > SHA256SUMS"
    subprocess.run(["bash", "-c", command], cwd=backup, check=True)
