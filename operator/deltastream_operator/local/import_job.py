"""An import that one thread runs, and that another thread may cancel until it ends."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deltastream_operator.domain.imports import ImportRequest
from deltastream_operator.local.supervision.processes import die_with


class Cancelled(Exception):
    """The import is cancelled."""


class Job:
    """The import of a request. Its processes run one after another, and each ends when it is cancelled."""

    def __init__(self, request: ImportRequest) -> None:
        self.request = request
        self._lock = threading.Lock()
        self._cancelled = False
        self._process: subprocess.Popen[str] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """End the process that runs now. No other one starts."""
        with self._lock:
            self._cancelled = True
            if self._process:
                self._process.terminate()

    def captured(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and return its output. Raises Cancelled."""
        with self.process(argv, env, cwd, errors=subprocess.PIPE) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(argv, process.returncode, output, errors)

    @contextmanager
    def process(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, *, errors: int = subprocess.DEVNULL
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a command whose output the caller reads. It ends with the context. Raises Cancelled."""
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._process = process = subprocess.Popen(  # noqa: S603
                argv,
                env=env,
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=die_with(os.getpid()),
            )
        try:
            with process:
                try:
                    yield process
                finally:
                    process.terminate()
        finally:
            with self._lock:
                self._process = None
        if self._cancelled:
            raise Cancelled
