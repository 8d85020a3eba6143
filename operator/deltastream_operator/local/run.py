"""Run the local system: start, watch and stop its processes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from deltastream_operator.domain.feed import External, Feed
from deltastream_operator.errors import OperatorError, StopRequested
from deltastream_operator.local.live import Board, Screen
from deltastream_operator.local.ports import Ports
from deltastream_operator.local.scaling import ORDER, Scaling
from deltastream_operator.local.services import HTTP, Services, base_env
from deltastream_operator.local.settings import Settings
from deltastream_operator.local.state import data, stores
from deltastream_operator.local.state.home import unusable
from deltastream_operator.local.supervision import logs, net
from deltastream_operator.local.supervision.leftovers import kill_leftovers, recorded, started_at
from deltastream_operator.local.supervision.processes import Supervisor
from deltastream_operator.local.supervision.wakeups import Wakeups
from deltastream_operator.local.workloads import LocalWorkloads

READY_WITHIN_S, FAILURES_AT_START, REFRESH_S, DECIDE_S = 120.0, 3, 1.0, 2.0


class Local:
    """One local system: its stores, its services and the processes of its feeds."""

    def __init__(self, feeds: Sequence[Feed], settings: Settings, services: Services, screen: Screen) -> None:
        self._feeds, self._settings, self._services, self._screen = feeds, settings, services, screen
        self._home = services.home
        self._home.say = screen.say
        self._reported = ""
        self._supervisor = Supervisor(time, screen.say)
        self._wakeups = Wakeups()
        self._ports = Ports(settings, self._home, screen.say)
        self._recorded: dict[str, int] = {}
        self._stop_signals = 0
        self._workloads = LocalWorkloads(self._supervisor, services, self._ports.of, self._pause)
        self._scaling = Scaling(feeds, self._workloads.apply, screen.say, _now)

    def run(self) -> None:
        """Start the system, watch it until SIGINT or SIGTERM, and stop it.

        Raises OperatorError if it cannot run. No process is left running in any case.
        """
        with self._home.lock(), self._wakeups.handling(self._on_signal):
            try:
                self._prepare()
                self._start()
                self._watch()
            except StopRequested:
                pass
            finally:
                self._screen.close()
                self._stop()
        self._screen.say("stopped; data is kept in " + str(self._home.root))

    def _on_signal(self) -> None:
        self._stop_signals += 1

    def _pause(self, seconds: float = 0.1) -> None:
        """Wait for a signal, the end of a child or the timeout. Record the running processes on disk."""
        self._wakeups.wait(seconds)
        running = {name: process.pid for name, process in self._supervisor.processes.items() if process.pid}
        if running != self._recorded:
            self._recorded = running
            record = {name: [pid, started_at(pid)] for name, pid in running.items()}
            self._try(lambda: self._home.write_json("processes.json", record))
        if self._stop_signals > 1:  # a second signal ends the grace period
            self._supervisor.kill_all()

    def _try(self, upkeep: Callable[[], None]) -> None:
        """Do upkeep on which a running system does not depend. An error (a full disk) is reported once."""
        try:
            upkeep()
        except OSError as error:
            self._report(str(unusable(self._home.root, error)))
        except OperatorError as error:
            self._report(str(error))

    def _report(self, problem: str) -> None:
        if problem != self._reported:
            self._reported = problem
            self._screen.say(problem)

    def _step(self, seconds: float = 0.1) -> None:
        self._pause(seconds)
        self._supervisor.tick()
        if self._stop_signals:
            raise StopRequested

    def _prepare(self) -> None:
        stale = kill_leftovers(recorded(self._home.read_json("processes.json")))
        if stale:
            self._screen.say(f"ended processes of a killed local run: {', '.join(stale)}")
        stores.redis_binary(), stores.mongo_binary()  # raises early if one is not installed
        data.check(self._home)
        self._ports.assign()

    def _start(self) -> None:
        say, home, services = self._screen.say, self._home, self._services
        redis_port, mongo_port = self._ports.of("redis"), self._ports.of("mongod")
        services.write_secrets(redis_port, mongo_port)
        say("starting redis and mongod")
        self._supervisor.start(stores.redis(home, redis_port, base_env(), self._external()))
        self._supervisor.start(stores.mongo(home, mongo_port, base_env()))
        self._wait_ready(["redis", "mongod"])
        self._forget_replay_commands()
        stores.ensure_mongo_user(home, mongo_port, base_env())
        migrate = services.command("migrate", port=0)
        stores.run_once("storage migrate", list(migrate.argv), dict(migrate.env), migrate.cwd, migrate.log)
        say("starting the services")
        probed = [
            name
            for component in ORDER
            for feed in self._feeds
            for name in self._workloads.names(
                feed, component, self._scaling.first(feed).of(component).target or 0
            )
        ]
        watched = ["socket-gateway", "logging-service", *probed]
        ready_urls = ",".join(f"{name}=http://127.0.0.1:{self._ports.of(name)}/readyz" for name in watched)
        for service in HTTP:
            gateway = service == "api-gateway"  # ready only after the feeds: wait for /livez
            extra = {"READY_URLS": ready_urls} if gateway else None
            path = "/livez" if gateway else "/readyz"
            self._supervisor.start(
                services.command(service, port=self._ports.of(service), extra=extra, path=path)
            )
        self._wait_ready(HTTP)
        say(f"starting {len(self._feeds)} feed(s): {', '.join(feed.name for feed in self._feeds)}")
        self._scaling.start()
        self._wait_ready(probed)
        self._wait_for("the whole system", net.answers(self._ports.of("api-gateway"), "/readyz"))

    def _forget_replay_commands(self) -> None:
        """Begin as the feeds' files say: a command of the page lasts until the local run ends."""
        from deltastream_operator.redis_feeds import RedisFeeds

        url = stores.redis_url(self._home, self._ports.of("redis"), 0)
        RedisFeeds(url).forget_replay_commands(feed.name for feed in self._feeds)

    def _external(self) -> list[str]:
        """Return the names of the feeds that another program writes."""
        return [feed.name for feed in self._feeds if isinstance(feed.source, External)]

    def _wait_ready(self, names: Sequence[str]) -> None:
        for name in names:
            self._wait_for(name, self._supervisor.processes[name].ready)

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not ready():
            self._step(0.1)
            for name, process in self._supervisor.processes.items():
                if process.failures >= FAILURES_AT_START:
                    log = process.command.log
                    raise OperatorError(
                        f"{name} does not start; log {log}:" + _indented(process.last_lines(8))
                    )
            if time.monotonic() > deadline:
                log = self._home.logs / f"{what}.log"
                raise OperatorError(
                    f"{what} is not ready after {READY_WITHIN_S:g} s" + _indented(logs.tail(log, 8))
                )

    def _announce(self) -> None:
        gateway = f"http://localhost:{self._ports.of('api-gateway')}"
        text = [
            f"DeltaStream is ready (all state in {self._home.root})",
            f"  page       {gateway}",
            f"  REST       {gateway}/api/data/products",
            f"  docs       {gateway}/api/docs",
            f"  Socket.IO  http://localhost:{self._ports.of('socket-gateway')}",
            f"  logs       {self._home.logs} (make logs)",
        ]
        if self._settings.anonymous_read == "true":
            text.append("  anonymous reads are on (ANONYMOUS_READ=true)")
        text.append(
            f"  operator   the first account: POST {gateway}/api/auth/register with email and password;"
            " its token may pause and scale feeds, and push messages"
        )
        text += [
            f"  push       POST {gateway}/api/ingest/{name} with that token, or XADD feed:{name} as the Redis"
            f" user in {self._home.secrets / f'writer-{name}_redis_url'}"
            for name in self._external()
        ]
        self._screen.say("\n".join(text))
        self._home.ready("\n".join(text) + "\n")

    def _watch(self) -> None:
        from redis import Redis, RedisError

        from deltastream_operator.local.feeds import Feeds
        from deltastream_operator.local.importer import Importer
        from deltastream_operator.redis_feeds import RedisFeeds
        from deltastream_operator.redis_signals import RedisSignals

        url = stores.redis_url(self._home, self._ports.of("redis"), 0)
        client = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=1)
        board = Board(client, self._scaling.feeds.values, time.monotonic)
        signals = RedisSignals(url, time)
        feeds = Feeds(
            self._scaling, RedisFeeds(url), seen=self._workloads.seen, say=self._screen.say, now=_now
        )
        importer = Importer(
            self._services, RedisFeeds(url), feeds=self._scaling.feeds, run=feeds.add, say=self._screen.say
        )
        feeds.tick(signals.read(list(self._scaling.feeds)))
        self._announce()  # only now: the gateway knows the feeds from the table that the tick publishes
        due = bound_at = 0.0
        decide_at = time.monotonic() + DECIDE_S
        while True:
            self._step(0.2)
            if time.monotonic() >= bound_at:  # also in an outage of Redis, when every process logs errors
                bound_at = time.monotonic() + REFRESH_S
                self._try(lambda: logs.bound(self._home.logs))
            if self._silent("redis"):  # each read would block this thread until its timeout
                continue
            importer.step()
            if feeds.take_requests() or time.monotonic() >= decide_at:
                decide_at = time.monotonic() + DECIDE_S
                feeds.tick(signals.read(list(self._scaling.feeds)))
            if time.monotonic() < due:
                continue
            due = time.monotonic() + REFRESH_S
            with contextlib.suppress(RedisError, ValueError):  # Redis restarts: the lines stay as they are
                self._screen.show(board.lines())

    def _silent(self, name: str) -> bool:
        """Return whether the last probe of this process failed."""
        process = self._supervisor.processes.get(name)
        return bool(process and process.probe and process.probe.life.silent_since)

    def _stop(self) -> None:
        names = list(self._supervisor.processes)
        if not names:
            return
        self._screen.say("stopping")
        parts = {
            part: {
                n
                for feed in self._scaling.feeds.values()
                for n in self._workloads.names(feed, part, len(names))
            }
            for part in ORDER
        }
        for group in (parts["generator"], parts["enricher"], set(HTTP), {"redis", "mongod"}):
            self._supervisor.stop([name for name in names if name in group], lambda: self._pause(0.05))
        self._try(lambda: self._home.write_json("processes.json", {}))


def _now() -> datetime:
    return datetime.now(UTC)


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"\n    {line}" for line in lines)
