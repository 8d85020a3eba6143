"""The chart's table of ports (templates/_ports.tpl) agrees with every other file that names a port."""

from __future__ import annotations

import re
from functools import cache

import pytest
from devcluster.images.catalogue import SERVICES
from devcluster.release import GATEWAYS

from tests.chart.render import CHART, COMPONENT, ROOT, Object, kind, objects, pods, template

# Services whose port variable in the local run is not named after the service.
LOCAL = {"logging-service": "LOGGING_PORT"}


@cache
def release() -> list[Object]:
    """The chart with its defaults."""
    return objects(template())


def called() -> dict[str, int]:
    """The port of each Service, by component."""
    return {
        each["metadata"]["labels"][COMPONENT]: port["port"]
        for each in kind(release(), "Service")
        for port in each["spec"]["ports"]
    }


def opened(component: str) -> list[str]:
    """The ports of a component's containers."""
    found = [pod for pod in pods(release()) if pod.component == component]
    ports = {
        port["containerPort"] for pod in found for each in pod.containers for port in each.get("ports", [])
    }
    return sorted(map(str, ports))


@pytest.mark.parametrize("image", [*SERVICES, "operator"])
def test_an_image_exposes_the_ports_of_its_pods(image: str) -> None:
    """Rule: outside Kubernetes an image listens on the same ports as its pod."""
    folder = ROOT / image if image == "operator" else ROOT / "services" / image
    (exposed,) = re.findall(r"^EXPOSE (.+)\n", (folder / "Dockerfile").read_text(), re.MULTILINE)
    assert opened(image) == exposed.split()


def test_a_service_has_the_ports_of_its_pods() -> None:
    """Rule: a Service's port equals its pod's port."""
    assert {component: [str(port)] for component, port in called().items()} == {
        component: opened(component) for component in called()
    }


def test_the_stores_files_name_the_ports_of_the_table() -> None:
    """Rule: the two files contain no templates, so that the tests can start real stores with them."""
    (redis,) = re.findall(r"^port (\d+)\n", (CHART / "files/redis.conf").read_text(), re.MULTILINE)
    (mongodb,) = re.findall(r"^ *port: (\d+)\n", (CHART / "files/mongod.conf").read_text(), re.MULTILINE)
    assert {"redis": int(redis), "mongodb": int(mongodb)}.items() <= called().items()


def test_the_local_run_and_make_up_have_the_same_ports() -> None:
    """Rule: a client needs no other ports. The operator's tests compare .env.example with its code."""
    local = dict(re.findall(r"^([A-Z_]+_PORT)=(\d+)\n", (ROOT / ".env.example").read_text(), re.MULTILINE))
    services = {name: port for name, port in called().items() if name in SERVICES}
    variables = {LOCAL.get(name, f"{name.upper().replace('-', '_')}_PORT"): name for name in services}
    assert {variables[variable]: int(port) for variable, port in local.items()} == services
    assert GATEWAYS.items() <= services.items()


def test_only_the_table_of_ports_names_a_port() -> None:
    """Rule: a port is changed in one place."""
    numbers = {
        port for each in [*called(), "operator", "feed-generator", "worker-enricher"] for port in opened(each)
    }
    assert len(numbers) == 12
    pattern = re.compile(rf"\b({'|'.join(numbers)})\b")
    naming = {path.name for path in (CHART / "templates").rglob("*.*") if pattern.search(path.read_text())}
    assert naming == {"_ports.tpl"}
