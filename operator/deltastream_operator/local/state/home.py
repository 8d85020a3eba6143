"""The folder of a local system: lock, ports, secrets, data and logs.

People and full disks get at these files, so nothing in them is trusted: what cannot be used is a
OperatorError with file and way out, and what can be made anew is said and made anew.
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
_WAYS_OUT = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room on its disk",
    errno.EACCES: f"let this user read and write it, {_ELSEWHERE}",
    errno.EPERM: f"let this user read and write it, {_ELSEWHERE}",
    errno.EROFS: f"mount it writable, {_ELSEWHERE}",
    errno.EISDIR: "a file belongs there: move the folder away",
    errno.ENOTDIR: f"a folder belongs there: move the file away, {_ELSEWHERE}",
    errno.EEXIST: f"a folder belongs there: move the file away, {_ELSEWHERE}",
    errno.ELOOP: f"its links go in circles: mend them, {_ELSEWHERE}",
}
_MAX_BYTES = 64 << 10  # far more than any of these files has


def unusable(path: object, error: OSError) -> OperatorError:
    """A file or folder that cannot be used, with the way out."""
    way_out = _WAYS_OUT.get(error.errno or 0, f"mend it, {_ELSEWHERE}")
    where = error.filename if isinstance(error.filename, str) else path
    return OperatorError(f"{where}: cannot be used: {error.strerror}: {way_out}")


@contextlib.contextmanager
def _using(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unusable(path, error) from None


class Home:
    """Paths and small files under $DELTASTREAM_HOME. `say` is told of what is mended on the way."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda _: None) -> None:
        try:
            self.root = root.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # links in circles, a NUL
            raise OperatorError(f"DELTASTREAM_HOME={str(root)!r}: is no path: {error}") from None
        self.say = say
        self.logs, self.run, self.secrets = self.root / "logs", self.root / "run", self.root / "secrets"
        self.redis_data, self.mongo_data = self.root / "data/redis", self.root / "data/mongo"
        self.lock_file, self.ready_file = self.run / "local.pid", self.run / "ready"
        self.used_before = False

    def create(self) -> None:
        """Make the folders; secrets and data are for the owner only."""
        with _using(self.root):
            for folder in (self.root, self.logs, self.run, self.secrets, self.redis_data, self.mongo_data):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.secrets, self.run, self.root / "data"):
                folder.chmod(0o700)
            self.used_before = any(self.secrets.iterdir())

    def running_pid(self) -> int | None:
        """The pid of the local run that holds the lock, if one does."""
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
        if not noted:  # it starts or ends just now
            return None
        # NB: the pid will be sent a signal. Whoever wrote it there, only the holder of the lock has it open.
        pid = int(noted) if re.fullmatch(rb"[1-9][0-9]{0,9}\n", noted) else 0
        if not pid or not _has_open(pid, self.lock_file):
            raise OperatorError(
                f"{self.lock_file}: does not name the local run that holds it: end that process by hand"
            )
        return pid

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only local run here. The kernel drops the lock with its holder, however it ends."""
        with _using(self.lock_file):
            file = open(self.lock_file, "a+b")  # noqa: SIM115  # closed below, after the yield
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                pid = self._holder(file.read(_MAX_BYTES))
                holder = f"the local run with pid {pid}" if pid else "a local run that starts or ends"
                raise OperatorError(
                    f"{self.root} is in use by {holder}: stop it (make stop) {_ELSEWHERE}"
                ) from None
            with _using(self.lock_file):
                file.truncate(0)
                file.write(f"{os.getpid()}\n".encode())
                file.flush()
                self.not_ready()  # of a local run that was killed
            try:
                yield
            finally:
                with contextlib.suppress(OSError, OperatorError):
                    self.not_ready()
                    file.truncate(0)

    def ready(self, text: str) -> None:
        """Tell `make start` that everything serves."""
        _replace(self.ready_file, text)

    def not_ready(self) -> None:
        """Take back what `ready` told."""
        with _using(self.ready_file):
            self.ready_file.unlink(missing_ok=True)

    def secret(self, name: str, least: int = 1) -> str:
        """The kept random secret of this name, of `least` characters or more; made at first."""
        path = self.secrets / name
        try:
            raw, mode = _content(path)
        except FileNotFoundError:
            if self.used_before:
                self.say(f"{path} was missing: a new one is made")
            return self.write_secret(name, secrets.token_urlsafe(32)).read_text()
        except OSError as error:
            raise unusable(path, error) from None
        if mode & 0o077:
            with _using(path):
                path.chmod(0o600)
            self.say(f"{path} could be read by others (mode {mode:o}): now it is for its owner alone")
        text = raw.decode("ascii", errors="replace").strip()
        if not re.fullmatch(rf"[!-~]{{{least},1000}}", text):
            what = "is empty" if not text else f"must be one word of {least} to 1000 ASCII characters"
            raise OperatorError(f"{path}: {what}: restore it, or remove it to have a new one made")
        return text

    def write_secret(self, name: str, value: str) -> Path:
        """Put `value` into a file of mode 0600, which survives a power cut from then on."""
        return _replace(self.secrets / name, value, durable=True)

    def read_json(self, name: str) -> dict[str, Any]:
        """The object in run/{name}; empty if there is none. One that cannot be read is said and made anew."""
        path = self.run / name
        try:
            raw, _ = _content(path)
            value = json.loads(raw)
            if not isinstance(value, dict):
                raise ValueError("holds no JSON object")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise unusable(path, error) from None
        except (ValueError, RecursionError):
            self.say(f"{path} is not what was written there: it is made anew")
            return {}
        return value

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        """Replace run/{name} as a whole."""
        _replace(self.run / name, json.dumps(value, indent=1))


def _content(path: Path) -> tuple[bytes, int]:
    """The start of a file and its mode; a pipe in its place is empty. Raises OSError."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return file.read(_MAX_BYTES) or b"", stat.S_IMODE(os.fstat(file.fileno()).st_mode)


def _replace(path: Path, text: str, *, durable: bool = False) -> Path:
    """Put a whole file of mode 0600 in place. A reader, or a crash, finds the old one or the new one."""
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
    """Whether that process has the file open; taken on trust where the system does not tell."""
    folder = Path(f"/proc/{pid}/fd")
    if not Path("/proc/self/fd").is_dir():
        return True
    with contextlib.suppress(OSError):
        for descriptor in folder.iterdir():
            with contextlib.suppress(OSError):
                if descriptor.samefile(file):
                    return True
    return False
