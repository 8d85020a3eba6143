"""Redis 7.0 itself, from Debian's packages: the wheel of the other tests holds Valkey."""

from __future__ import annotations

from devcluster.processes.stores import RedisServer

from tests.support.tls import redis_programs


class Redis7(RedisServer):
    """As RedisServer, with Redis' own program."""

    def _command(self) -> list[str]:
        programs, environment = redis_programs()
        settings = (f"{name}={value}" for name, value in environment.items())
        return ["env", *settings, str(programs / "redis-server"), *super()._command()[1:]]
