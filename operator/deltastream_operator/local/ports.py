"""The ports of a local system: those of its settings, the stores' last ones, and free ones."""

from __future__ import annotations

from collections.abc import Callable

from deltastream_operator.errors import OperatorError
from deltastream_operator.local.settings import HTTP_PORTS, STORE_PORTS, Settings
from deltastream_operator.local.state.home import Home
from deltastream_operator.local.supervision import net


class Ports:
    """One port for each process, by the process's name. The stores keep theirs from start to start."""

    def __init__(self, settings: Settings, home: Home, say: Callable[[str], None]) -> None:
        self._settings, self._home, self._say = settings, home, say
        self._ports: dict[str, int] = {}

    def assign(self) -> None:
        """Assign the ports of services and stores. Raises OperatorError if a given port is in use."""
        self._ports = {**self._settings.ports, **self._settings.store_ports}
        for owner, port in self._ports.items():
            _must_be_free(port, owner, STORE_PORTS.get(owner) or HTTP_PORTS[owner][0])
        kept = self._home.read_json("ports.json")
        for store in STORE_PORTS:
            if store not in self._ports:
                self._ports[store] = self._kept(store, kept.get(store))
        self._home.write_json("ports.json", {store: self._ports[store] for store in STORE_PORTS})

    def of(self, name: str) -> int:
        """Return the process's port. A process of a feed gets a free one at the first call."""
        return self._ports.setdefault(name, net.free_port(self._ports.values()))

    def _kept(self, store: str, last: object) -> int:
        """Return the store's port of the last start, or a free one, with a message, if it is unusable."""
        if type(last) is not int or not 1 <= last <= 65535:
            trouble = f"{last!r:.40} is not a port"
        elif last in self._ports.values():
            trouble = f"port {last} is assigned twice"
        elif not net.is_free(last):
            trouble = f"port {last} is in use by another program"
        else:
            return last
        port = net.free_port(self._ports.values())
        if last is not None:
            self._say(f"{self._home.run / 'ports.json'}: {store}: {trouble}: using {port} instead")
        return port


def _must_be_free(port: int, owner: str, variable: str) -> None:
    if not net.is_free(port):
        raise OperatorError(f"port {port} ({owner}) is in use by another program: stop it or set {variable}")
