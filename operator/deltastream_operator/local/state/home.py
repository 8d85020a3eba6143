"""The folder of a local system: lock, ports, secrets, data and logs.

People and full disks can damage these files, so their content is never trusted. A file that can be recreated
is recreated with a message. Any other unusable file raises OperatorError with its name and the fix.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deltastream_operator.errors import OperatorError

_ELSEWHERE = "or set another DELTASTREAM_HOME"
_FIXES = {
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "free space on its disk",
    errno.EACCES: f"let this user read and write it, {_ELSEWHERE}",
    errno.EPERM: f"let this user read and write it, {_ELSEWHERE}",
    errno.EROFS: f"mount it writable, {_ELSEWHERE}",
    errno.EISDIR: "a file belongs there: move the folder away",
    errno.ENOTDIR: f"a folder belongs there: move the file away, {_ELSEWHERE}",
    errno.EEXIST: f"a folder belongs there: move the file away, {_ELSEWHERE}",
    errno.ELOOP: f"its symbolic links form a loop: fix them, {_ELSEWHERE}",
}
_MAX_BYTES = 64 << 10  # larger than any of these files


def unusable(path: object, error: OSError) -> OperatorError:
    """Return the error for a file or folder that cannot be used, with the fix."""
    fix = _FIXES.get(error.errno or 0, f"fix it, {_ELSEWHERE}")
    where = error.filename if isinstance(error.filename, str) else path
    return OperatorError(f"{where}: cannot be used: {error.strerror}: {fix}")


@contextlib.contextmanager
def _using(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unusable(path, error) from None


class Home:
    """Paths and small files under $DELTASTREAM_HOME. `say` prints a message about each repair."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda _: None) -> None:
        try:
            self.root = root.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or a NUL
            raise OperatorError(f"DELTASTREAM_HOME={str(root)!r}: is not a path: {error}") from None
        self.say = say
        self.logs, self.run, self.secrets = self.root / "logs", self.root / "run", self.root / "secrets"
        self.imports = self.root / "imports"
        self.redis_data, self.mongo_data = self.root / "data/redis", self.root / "data/mongo"
        self.lock_file, self.ready_file = self.run / "local.pid", self.run / "ready"
        self.used_before = False

    def create(self) -> None:
        """Create the folders. Secrets, records and data are accessible only to the owner."""
        with _using(self.root):
            for folder in (
                self.root,
                self.logs,
                self.run,
                self.secrets,
                self.imports,
                self.redis_data,
                self.mongo_data,
            ):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.secrets, self.run, self.imports, self.root / "data"):
                folder.chmod(0o700)
            self.used_before = any(self.secrets.iterdir())

    def running_pid(self) -> int | None:
        """Return the pid of the local run that holds the lock, or None."""
        try:
            with open(self.lock_file, "rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return self._holder(file.read(_MAX_BYTES))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise unusable(self.lock_file, error) from None
        return None

    def _holder(self, noted: bytes) -> int | None:
        if not noted:  # the holder is starting or ending
            return None
        # The caller sends a signal to this pid, so check that the process has the lock file open.
        pid = int(noted) if re.fullmatch(rb"[1-9][0-9]{0,9}\n", noted) else 0
        if not pid or not _has_open(pid, self.lock_file):
            raise OperatorError(
                f"{self.lock_file}: does not name the local run that holds it: end that process manually"
            )
        return pid

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of this home. The kernel releases it when the process ends for any reason."""
        with _using(self.lock_file):
            file = open(self.lock_file, "a+b")  # noqa: SIM115  # closed below, after the yield
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                pid = self._holder(file.read(_MAX_BYTES))
                holder = f"the local run with pid {pid}" if pid else "a local run that is starting or ending"
                raise OperatorError(
                    f"{self.root} is in use by {holder}: stop it (make stop) {_ELSEWHERE}"
                ) from None
            with _using(self.lock_file):
                file.truncate(0)
                file.write(f"{os.getpid()}\n".encode())
                file.flush()
                self.not_ready()  # remove the file that a killed local run left
            try:
                yield
            finally:
                with contextlib.suppress(OSError, OperatorError):
                    self.not_ready()
                    file.truncate(0)

    def ready(self, text: str) -> None:
        """Write the file for which `make start` waits. `text` is the ready message."""
        _replace(self.ready_file, text)

    def not_ready(self) -> None:
        """Remove the file that `ready` writes."""
        with _using(self.ready_file):
            self.ready_file.unlink(missing_ok=True)

    def secret(self, name: str, least: int = 1) -> str:
        """Return the stored secret of this name, and create a random one at the first call.

        Raises OperatorError if the file is unusable or has fewer than `least` characters.
        """
        path = self.secrets / name
        try:
            raw, mode = _content(path)
        except FileNotFoundError:
            if self.used_before:
                self.say(f"{path} was missing: a new one was created")
            return self.write_secret(name, secrets.token_urlsafe(32)).read_text()
        except OSError as error:
            raise unusable(path, error) from None
        if mode & 0o077:
            with _using(path):
                path.chmod(0o600)
            self.say(f"{path} was readable by other users (mode {mode:o}): now only its owner can read it")
        text = raw.decode("ascii", errors="replace").strip()
        if not re.fullmatch(rf"[!-~]{{{least},1000}}", text):
            what = "is empty" if not text else f"must be one word of {least} to 1000 ASCII characters"
            raise OperatorError(f"{path}: {what}: restore it, or remove it to get a new one")
        return text

    def write_secret(self, name: str, value: str) -> Path:
        """Write `value` durably (fsync) to a file of mode 0600 and return its path."""
        return _replace(self.secrets / name, value, durable=True)

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the JSON object in run/{name}, or {} if the file is missing or invalid (with a message)."""
        path = self.run / name
        try:
            raw, _ = _content(path)
            value = json.loads(raw)
            if not isinstance(value, dict):
                raise ValueError("is not a JSON object")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise unusable(path, error) from None
        except (ValueError, RecursionError):
            self.say(f"{path} is damaged: it is created again")
            return {}
        return value

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        """Write run/{name} atomically."""
        _replace(self.run / name, json.dumps(value, indent=1))


def _content(path: Path) -> tuple[bytes, int]:
    """Return a file's first 64 KiB and its mode. A pipe in its place reads as empty. Raises OSError."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return file.read(_MAX_BYTES) or b"", stat.S_IMODE(os.fstat(file.fileno()).st_mode)


def _replace(path: Path, text: str, *, durable: bool = False) -> Path:
    """Replace a file atomically, with mode 0600. After a crash the file is the old one or the new one."""
    draft = path.with_name(f"{path.name}.new")
    with _using(path):
        draft.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        with open(os.open(draft, flags, 0o600), "wb") as file:
            file.write(os.fsencode(text))
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(path)
        if durable:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    return path


def _has_open(pid: int, file: Path) -> bool:
    """Return whether the process has the file open. Without /proc this is assumed."""
    folder = Path(f"/proc/{pid}/fd")
    if not Path("/proc/self/fd").is_dir():
        return True
    with contextlib.suppress(OSError):
        for descriptor in folder.iterdir():
            with contextlib.suppress(OSError):
                if descriptor.samefile(file):
                    return True
    return False
