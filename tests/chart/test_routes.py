"""The Ingress and the HTTPRoute: both gateways behind one host name."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from devcluster.golang import sources
from devcluster.processes.api_server import ApiServer
from devcluster.waiting import wait_until

from tests.chart.render import CHART, CI, COMPONENT, ROOT, Object, helm, kind, objects, template
from tests.support import needs

GATEWAY = next(path for path in CI if path.stem == "gateway")
CASES = [path for path in CI if path.stem in ("gateway", "all-enabled")]
GATEWAY_API = "sigs.k8s.io/gateway-api"
ROUTES = "/apis/gateway.networking.k8s.io/v1/httproutes"
# The oldest version that values.yaml promises, and the newest that builds with Go 1.25, which the other
# programs require.
GATEWAY_APIS = ["v1.2.1", "v1.4.1"]
LEADS = {"/socket.io": "socket-gateway", "/": "api-gateway"}
Backend = tuple[str, str, int | str]


def _routes(release: list[Object]) -> Iterator[tuple[str, list[Backend]]]:
    """For each rule of both objects: a description, and its backends as (path, Service, port)."""
    for each in kind(release, "Ingress"):
        for rule in each["spec"]["rules"]:
            services = [(path["path"], path["backend"]["service"]) for path in rule["http"]["paths"]]
            found = [(path, each["name"], each["port"]["name"]) for path, each in services]
            yield f"Ingress {rule.get('host')}", found
    for each in kind(release, "HTTPRoute"):
        yield (
            "HTTPRoute",
            [
                (match["path"]["value"], backend["name"], backend["port"])
                for rule in each["spec"]["rules"]
                for match in rule["matches"]
                for backend in rule["backendRefs"]
            ],
        )


def _route(release: list[Object]) -> Object:
    (route,) = kind(release, "HTTPRoute")
    return route


def test_every_backend_is_a_port_of_the_service_that_serves_the_path(release: list[Object]) -> None:
    services = {each["metadata"]["name"]: each for each in kind(release, "Service")}
    for what, backends in _routes(release):
        led = {}
        for path, service, port in backends:
            ports = services[service]["spec"]["ports"]
            assert port in {key for each in ports for key in (each["name"], each["port"])}, what
            led[path] = services[service]["spec"]["selector"][COMPONENT]
        assert led == LEADS, what


def test_the_socket_path_of_the_routes_is_the_path_that_the_gateway_serves() -> None:
    server = (ROOT / "services/socket-gateway/socket_gateway/admission.py").read_text()
    assert set(re.findall(r'startswith\("([^"]+)"\)', server)) == set(LEADS) - {"/"}


def test_each_host_has_a_rule_and_its_certificate() -> None:
    (ingress,) = kind(objects(template(f"--values={GATEWAY}")), "Ingress")
    hosts = ["options.example.com", "options.example.net"]
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == hosts
    assert ingress["spec"]["tls"] == [{"secretName": "options-tls", "hosts": hosts[:1]}]
    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_without_hosts_the_ingress_accepts_any_host() -> None:
    (ingress,) = kind(objects(template("--set=ingress.enabled=true")), "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert set(rule) == {"http"}
    assert set(ingress["spec"]) == {"rules"}


def test_only_the_socket_route_disables_the_request_timeout() -> None:
    rules = _route(objects(template(f"--values={GATEWAY}")))["spec"]["rules"]
    limits = {rule["matches"][0]["path"]["value"]: rule.get("timeouts") for rule in rules}
    assert limits == {"/socket.io": {"request": "0s"}, "/": None}


def test_both_are_off_by_default() -> None:
    assert kind(objects(template()), "Ingress", "HTTPRoute") == []


def _notes(*options: str) -> str:
    return helm("install", "deltastream", str(CHART), "--dry-run=client", *options).partition("NOTES:")[2]


def test_the_notes_show_the_urls_and_warn_of_an_untrusted_proxy() -> None:
    notes = _notes(f"--values={GATEWAY}")
    for url in ("https://options.example.com/", "http://options.example.net/", "//options.example.org/"):
        assert f"{url}api/docs" in notes
    assert "trustedProxies" not in notes
    assert "trustedProxies is 0" in _notes(f"--values={GATEWAY}", "--set=apiGateway.trustedProxies=0")
    assert "From outside" not in _notes()


def test_the_notes_show_the_values_that_the_page_needs_through_port_forwards() -> None:
    """Behind an Ingress or an HTTPRoute both gateways have one origin, so the page needs none."""
    assert "--set apiGateway.socketUrl=:8002" in _notes()
    assert "http://127.0.0.1:8000,http://localhost:8000" in _notes()
    assert "socketUrl" not in _notes(f"--values={GATEWAY}")
    assert "--set apiGateway" not in _notes("--set=apiGateway.socketUrl=:8002")


@pytest.fixture(scope="module", params=GATEWAY_APIS)
def gateway_api(request: pytest.FixtureRequest, api_server: ApiServer) -> Iterator[ApiServer]:
    """An API server with one version of the Gateway API's CRD. The CRD is deleted after the last test."""
    needs.go("the Gateway API's definitions")
    folder = sources(GATEWAY_API, request.param) / "config" / "crd" / "standard"
    definition = str(folder / "gateway.networking.k8s.io_httproutes.yaml")
    applied = api_server.kubectl("apply", "--server-side", "-f", definition)
    assert applied.returncode == 0, applied.stderr
    wait_until(lambda: api_server.request("GET", ROUTES)[0] == 200, "routes are served")
    yield api_server
    api_server.kubectl("delete", "-f", definition)
    wait_until(lambda: api_server.request("GET", ROUTES)[0] == 404, "routes are no longer served")


def _refused(server: ApiServer, *taken: Object) -> str:
    """Apply the objects in a dry run. Returns the server's errors and warnings; empty if it accepts them."""
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": taken})
    made = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=given)
    assert (made.returncode == 0) is (made.stderr == ""), made.stderr
    return made.stderr


def _here(each: Object) -> Object:
    return each | {"metadata": each["metadata"] | {"namespace": "default"}}


@pytest.mark.parametrize("values", CASES, ids=lambda path: path.stem)
def test_a_cluster_with_the_gateway_api_accepts_both_objects(gateway_api: ApiServer, values: Path) -> None:
    routes = kind(objects(template(f"--values={values}")), "Ingress", "HTTPRoute")
    assert len(routes) == 2
    assert _refused(gateway_api, *map(_here, routes)) == ""


def _without_port(rule: Any) -> None:
    del rule["backendRefs"][0]["port"]


def _relative_path(rule: Any) -> None:
    rule["matches"][0]["path"]["value"] = "socket.io"


def _endless(rule: Any) -> None:
    rule["timeouts"] = {"request": "never"}


def _unknown_field(rule: Any) -> None:
    rule["timeout"] = "0s"


@pytest.mark.parametrize("spoil", [_without_port, _relative_path, _endless, _unknown_field])
def test_a_wrong_route_is_rejected(gateway_api: ApiServer, spoil: Any) -> None:
    route = copy.deepcopy(_route(objects(template(f"--values={GATEWAY}"))))
    spoil(route["spec"]["rules"][0])
    assert _refused(gateway_api, _here(route))
