"""Check that an attack leaves no memory and no open files behind in a server."""

from __future__ import annotations

import psutil
from devcluster.waiting import wait_until

MEMORY_MIB = 16  # the allocator may keep some; a leak of 15,000 objects of 350 bytes a second exceeds it
FILES = 4  # connections of probes that are being answered


class Resources:
    """Memory and open files of a process and its children, measured when the object is created."""

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
        """Wait until memory and open files are back to their first values.

        Fails also if a process was replaced, because a new process would always pass.
        """
        assert self._members() == self._family, "a process of the server ended"

        def back() -> bool:
            files, used = self._now()
            return files <= self._files + FILES and used <= self._bytes + MEMORY_MIB * 2**20

        try:
            wait_until(back, "files and memory are back")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._files, self._bytes} became {self._now()}") from None
