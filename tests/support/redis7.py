"""Run Redis 7.0 from Debian's packages. The other tests use a wheel that contains Valkey."""

from __future__ import annotations

from devcluster.processes.stores import RedisServer

from tests.support.tls import redis_programs


class Redis7(RedisServer):
    """A RedisServer that runs Redis instead of Valkey."""

    def _command(self) -> list[str]:
        programs, environment = redis_programs()
        settings = (f"{name}={value}" for name, value in environment.items())
        return ["env", *settings, str(programs / "redis-server"), *super()._command()[1:]]
