"""Run a feed's components as processes on this machine."""

from __future__ import annotations

from collections.abc import Callable

from deltastream_operator.domain.feed import Component, Feed
from deltastream_operator.domain.observed import Facts, Observed
from deltastream_operator.local.services import Services, environment_of
from deltastream_operator.local.supervision.processes import Command, Supervisor


class LocalWorkloads:
    """Starts one process for each generator, and a subscriber and a worker for each enricher."""

    def __init__(
        self,
        supervisor: Supervisor,
        services: Services,
        port: Callable[[str], int],
        pause: Callable[[], object],
    ) -> None:
        self._supervisor, self._services, self._port, self._pause = supervisor, services, port, pause

    def names(self, feed: Feed, component: Component, replicas: int) -> list[str]:
        """Return the names of the processes of `replicas` replicas."""
        kinds = ("generator",) if component == "generator" else ("subscriber", "worker")
        return [f"{feed.name}-{kind}-{index}" for index in range(replicas) for kind in kinds]

    def apply(self, feed: Feed, component: Component, replicas: int) -> None:
        """Start missing processes. Stop surplus ones and those whose command has changed."""
        wanted = {command.name: command for command in self._commands(feed, component, replicas)}
        running = self._supervisor.processes
        surplus = [
            name for name in self._running(feed, component) if running[name].command != wanted.get(name)
        ]
        self._supervisor.stop(surplus, self._pause)
        for command in wanted.values():
            self._supervisor.start(command)

    def seen(self, feed: Feed) -> Facts:
        """Return the replicas that exist and those whose processes all answered their last probe."""
        return Facts(generator=self._observed(feed, "generator"), enricher=self._observed(feed, "enricher"))

    def _observed(self, feed: Feed, component: Component) -> Observed:
        serving: dict[str, bool] = {}
        for name in self._running(feed, component):
            index = name.rpartition("-")[2]
            serving[index] = serving.get(index, True) and self._supervisor.processes[name].serves
        return Observed(replicas=len(serving), ready=sum(serving.values()), updated=len(serving))

    def _running(self, feed: Feed, component: Component) -> list[str]:
        names = list(self._supervisor.processes)
        return [name for name in self.names(feed, component, len(names)) if name in names]

    def _commands(self, feed: Feed, component: Component, replicas: int) -> list[Command]:
        commands = []
        for name in self.names(feed, component, replicas):
            kind, _, index = name.removeprefix(f"{feed.name}-").rpartition("-")
            extra = environment_of(feed, component, index=int(index), replicas=replicas)
            commands.append(self._services.command(kind, port=self._port(name), name=name, extra=extra))
        return commands
