"""What an attack must not leave behind in a server."""

from __future__ import annotations

import psutil
from devcluster.waiting import wait_until

MEMORY_MIB = 16  # an allocator keeps some; 15,000 forgotten objects of 350 bytes a second would not fit
FILES = 4  # probes that are just being answered


class Resources:
    """Memory and open files of a process and its children, and a wait until they are back."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._family = self._members()
        self._files, self._bytes = self._now()

    def _members(self) -> set[tuple[int, float]]:
        family = [self._process, *self._process.children(recursive=True)]
        return {(one.pid, one.create_time()) for one in family}

    def _now(self) -> tuple[int, int]:
        family = [self._process, *self._process.children(recursive=True)]
        return sum(one.num_fds() for one in family), sum(one.memory_info().rss for one in family)

    def wait_until_back(self) -> None:
        """Fail also if a process died and another took its place: a fresh one holds nothing."""
        assert self._members() == self._family, "a process of the server ended"

        def back() -> bool:
            files, used = self._now()
            return files <= self._files + FILES and used <= self._bytes + MEMORY_MIB * 2**20

        try:
            wait_until(back, "files and memory are back")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._files, self._bytes} became {self._now()}") from None
