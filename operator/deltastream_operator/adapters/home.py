"""The folder of a local system: lock, ports, secrets, data and logs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deltastream_operator.errors import PlannerError


class Home:
    """Paths and small files under $DELTASTREAM_HOME."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.logs, self.run, self.secrets = self.root / "logs", self.root / "run", self.root / "secrets"
        self.redis_data, self.mongo_data = self.root / "data/redis", self.root / "data/mongo"
        self.lock_file, self.ready_file = self.run / "planner.pid", self.run / "ready"

    def create(self) -> None:
        """Make the folders; secrets and data are for the owner only."""
        try:
            for folder in (self.root, self.logs, self.run, self.secrets, self.redis_data, self.mongo_data):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.secrets, self.run, self.root / "data"):
                folder.chmod(0o700)
        except OSError as error:
            raise PlannerError(f"{error.filename}: cannot be used: {error.strerror}") from None

    def running_pid(self) -> int | None:
        """The pid of the planner that holds the lock, if one does."""
        try:
            with open(self.lock_file) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read().strip() or 0) or None
        except FileNotFoundError:
            pass
        return None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only planner here. The kernel drops the lock with its holder, however it ends."""
        with open(self.lock_file, "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise PlannerError(
                    f"{self.root} is in use by the planner with pid {file.read().strip()}: "
                    "stop it (make stop) or set another DELTASTREAM_HOME"
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            self.ready_file.unlink(missing_ok=True)  # of a planner that was killed
            try:
                yield
            finally:
                self.ready_file.unlink(missing_ok=True)
                file.truncate(0)

    def secret(self, name: str) -> str:
        """The kept random secret of this name; made at first."""
        path = self.secrets / name
        if not path.exists():
            self.write_secret(name, secrets.token_urlsafe(32))
        return path.read_text().strip()

    def write_secret(self, name: str, value: str) -> Path:
        """Put `value` into a file of mode 0600."""
        path = self.secrets / name
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(value)
        draft.replace(path)
        return path

    def read_json(self, name: str) -> dict[str, Any]:
        """The object in run/{name}; empty if there is none, or none that can be read."""
        with contextlib.suppress(OSError, ValueError):
            value = json.loads((self.run / name).read_text())
            if isinstance(value, dict):
                return value
        return {}

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        """Replace run/{name} as a whole."""
        draft = self.run / f"{name}.new"
        draft.write_text(json.dumps(value, indent=1))
        draft.replace(self.run / name)
