"""Test the CRD on a real API server: validation, defaults, columns and /scale.

The local run reads the same resources from files. The tests check that both accept and refuse the same feeds.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from devcluster.processes.api_server import CRD, FEEDS, ApiServer
from tests.support.feeds import NOON, a_feed, load, serving

from deltastream_operator.domain import status
from deltastream_operator.domain.decide import Current, decide
from deltastream_operator.parsing import resource

GOOD: dict[str, Any] = {
    "apiVersion": "deltastream.dev/v1alpha1",
    "kind": "DeltaStreamFeed",
    "metadata": {"name": "a"},
    "spec": {
        "mode": "Automatic",
        "products": ["NIFTY"],
        "source": {"synthetic": {"seed": 1}},
        "generator": {"minReplicas": 0},
        "enricher": {"replicas": 1},
    },
}
REPLAY = {"configMapRef": {"name": "x"}, "asOf": "2024-06-21T15:30:00+05:30"}
DERIBIT = {"currencies": ["NIFTY"]}
DEFINED = {"product": "NIFTY", "expiryTime": "15:30", "zone": "Asia/Kolkata"}
REMOVED = object()


def feed_with(path: str, value: object) -> dict[str, Any]:
    """Return GOOD with one field set to `value`, or without that field."""
    body = copy.deepcopy(GOOD)
    *steps, last = path.split(".")
    place = body
    for step in steps:
        place = place.setdefault(step, {})
    if value is REMOVED:
        place.pop(last, None)
    else:
        place[last] = value
    return body


def ask_server(server: ApiServer, body: dict[str, Any]) -> tuple[bool, str]:
    """Return whether the API server accepts the feed, and its message or the stored object.

    The request is a dry run with strict field validation, as kubectl sends it.
    """
    code, answer = server.request("POST", f"{FEEDS}?dryRun=All&fieldValidation=Strict", body)
    return code == 201, json.dumps(answer) if code == 201 else answer["message"]


def parse_file(body: dict[str, Any], folder: Path) -> tuple[bool, str]:
    """Return whether the parser of feed files accepts the feed, and its messages."""
    feeds, problems = resource.parse(yaml.safe_dump(body), folder / "x.yaml")
    return bool(feeds), "\n".join(problems)


# (path of the field, value, field name that both messages must contain)
REFUSED: list[tuple[str, object, str]] = [
    ("metadata.name", "a" * 41, "name"),
    ("metadata.name", "a.b", "name"),
    ("metadata.name", "A_b", "name"),
    ("spec", REMOVED, "spec"),
    ("spec.mode", "Auto", "mode"),
    ("spec.colour", "red", "colour"),
    ("spec.session", {"calendar": "XNSE"}, "session"),
    ("spec.behavior", {}, "behavior"),
    ("spec.products", REMOVED, "products"),
    ("spec.products", [], "products"),
    ("spec.products", "NIFTY", "products"),
    ("spec.products", ["nifty"], "products"),
    ("spec.products", ["A" * 21], "products"),
    ("spec.products", ["SPY", "SPY"], "products"),
    ("spec.products", [f"P{n}" for n in range(501)], "products"),
    ("spec.products", [True], "products"),
    ("spec.source", REMOVED, "source"),
    ("spec.source", {}, "source"),
    ("spec.source", {"synthetic": {}, "replay": REPLAY}, "source"),
    ("spec.source", {"synthetic": {}, "external": {}}, "source"),
    ("spec.source", {"synthetic": {}, "extra": 1}, "extra"),
    ("spec.source", {"external": {"url": "x"}}, "url"),
    ("spec.source", {"deribit": {}}, "currencies"),
    ("spec.source", {"deribit": {"currencies": []}}, "currencies"),
    ("spec.source", {"deribit": {"currencies": ["btc"]}}, "currencies"),
    ("spec.source", {"deribit": {"currencies": ["ZZZ"]}}, "products"),
    ("spec.source", {"deribit": {**DERIBIT, "expiries": 0}}, "expiries"),
    ("spec.source", {"deribit": {**DERIBIT, "strikesPerSide": 201}}, "strikesPerSide"),
    ("spec.source", {"deribit": {**DERIBIT, "chainIntervalMillis": 19}}, "chainIntervalMillis"),
    ("spec.source", {"deribit": {**DERIBIT, "url": "https://x"}}, "url"),
    ("spec.source", {"deribit": {**DERIBIT, "url": "wss://desk:password@x/ws"}}, "url"),
    ("spec.source", {"external": []}, "external"),
    ("spec.source", {"kite": {}, "external": {}}, "source"),
    ("spec.source", {"kite": {"accessToken": "secret"}}, "accessToken"),
    ("spec.source", {"kite": {"expiries": 0}}, "expiries"),
    ("spec.source", {"kite": {"chainIntervalMillis": 19}}, "chainIntervalMillis"),
    ("spec.source", {"kite": {"secretRef": {}}}, "secretRef"),
    ("spec.source", {"kite": {"secretRef": {"name": "A"}}}, "secretRef.name"),
    ("spec.source", {"kite": {"url": "https://ws.kite.trade"}}, "url"),
    ("spec.source", {"kite": {"url": "wss://ws.kite.trade?api_key=x"}}, "url"),
    ("spec.source", {"kite": {"apiUrl": "api.kite.trade"}}, "apiUrl"),
    ("spec.source.synthetic.seed", -1, "seed"),
    ("spec.source.synthetic.seed", 2**32, "seed"),
    ("spec.source.synthetic.seed", "7", "seed"),
    ("spec.source.synthetic.seed", True, "seed"),
    ("spec.source.synthetic.speedPercent", 0, "speedPercent"),
    ("spec.source.synthetic.speedPercent", 1.5, "speedPercent"),
    ("spec.source.synthetic.messagesPerSecond", 100_001, "messagesPerSecond"),
    ("spec.source", {"replay": {}}, "replay"),
    ("spec.source", {"replay": {**REPLAY, "asOf": "2024-06-21T15:30:00"}}, "asOf"),
    ("spec.source", {"replay": {**REPLAY, "asOf": "2024-02-30T15:30:00Z"}}, "asOf"),
    ("spec.source", {"replay": {**REPLAY, "asOf": "2024-06-21"}}, "asOf"),
    ("spec.source", {"replay": {**REPLAY, "from": "2024-06-21"}}, "from"),
    ("spec.source", {"replay": {**REPLAY, "to": "2024-06-31T10:00:00Z"}}, "to"),
    (
        "spec.source",
        {"replay": {**REPLAY, "from": "2024-06-21T10:00:00Z", "to": "2024-06-21T15:29:59.5+05:30"}},
        "to",
    ),
    ("spec.source", {"replay": {**REPLAY, "format": "xls"}}, "format"),
    ("spec.source", {"replay": {**REPLAY, "expiry": "27-06-2024"}}, "expiry"),
    ("spec.source", {"replay": {**REPLAY, "expiry": "2024-02-30"}}, "expiry"),
    ("spec.source", {"replay": {**REPLAY, "spot": 23501.1}}, "spot"),
    ("spec.source", {"replay": {**REPLAY, "spot": "0.00"}}, "spot"),
    ("spec.source", {"replay": {**REPLAY, "spot": "-1"}}, "spot"),
    ("spec.source", {"replay": {**REPLAY, "groupMillis": -1}}, "groupMillis"),
    ("spec.source", {"replay": {**REPLAY, "groupMillis": 3_600_001}}, "groupMillis"),
    ("spec.source", {"replay": {**REPLAY, "loop": "Twice"}}, "loop"),
    ("spec.source", {"replay": {**REPLAY, "intervalMillis": 0}}, "intervalMillis"),
    ("spec.source", {"replay": {"configMapRef": {}}}, "configMapRef"),
    ("spec.source", {"replay": {"configMapRef": {"name": "X"}}}, "configMapRef.name"),
    ("spec.source", {"replay": {"configMapRef": {"name": "x", "key": "a/b"}}}, "configMapRef.key"),
    ("spec.definitions", [DEFINED], "definitions"),  # with a synthetic source
    ("spec", {"products": ["SPY"], "source": {"external": {}}, "definitions": [DEFINED]}, "definitions"),
    ("spec.definitions", [], "definitions"),
    ("spec.definitions", [{**DEFINED, "lot": 0}], "lot"),
    ("spec.definitions", [{**DEFINED, "multiplier": 0}], "multiplier"),
    ("spec.definitions", [{**DEFINED, "expiryTime": "15.30"}], "expiryTime"),
    ("spec.definitions", [{**DEFINED, "settlement": "noon"}], "settlement"),
    ("spec.definitions", [{"product": "NIFTY", "zone": "UTC"}], "expiryTime"),
    ("spec.generator.minReplicas", 9, "minReplicas"),
    ("spec.generator.maxReplicas", 501, "maxReplicas"),
    ("spec.generator.productsPerReplica", 0, "productsPerReplica"),
    ("spec.enricher.minReplicas", 21, "minReplicas"),
    ("spec.enricher.maxReplicas", 1001, "maxReplicas"),
    ("spec.enricher.replicas", -1, "replicas"),
    ("spec.enricher.replicas", "3", "replicas"),
    ("spec.enricher.concurrencyPerReplica", 65, "concurrencyPerReplica"),
    ("spec.enricher.target", {"utilizationPercent": 101}, "utilizationPercent"),
    ("spec.enricher.target", {"catchUpSeconds": 0}, "catchUpSeconds"),
    ("spec.enricher.target", {"maxQueueAgeSeconds": 5}, "maxQueueAgeSeconds"),
]


@pytest.mark.parametrize(("place", "value", "field"), REFUSED)
def test_server_and_file_parser_refuse_an_invalid_field_by_name(
    place: str, value: object, field: str, crd_server: ApiServer, tmp_path: Path
) -> None:
    """Both refuse the same resource, and both messages name the field."""
    body = feed_with(place, value)
    for accepted, words in (ask_server(crd_server, body), parse_file(body, tmp_path)):
        assert not accepted, words
        assert field in words


@pytest.mark.parametrize("mode", ["Manual", "External"])
def test_replicas_are_required_in_modes_without_automatic_scaling(
    mode: str, crd_server: ApiServer, tmp_path: Path
) -> None:
    """The message names the two ways to correct the feed."""
    body = feed_with("spec.enricher", REMOVED)
    body["spec"]["mode"] = mode
    for accepted, words in (ask_server(crd_server, body), parse_file(body, tmp_path)):
        assert not accepted
        assert "spec.enricher.replicas: is required in mode" in words
        assert "set it, or choose mode Automatic" in words


def test_a_recording_may_have_several_products(crd_server: ApiServer, tmp_path: Path) -> None:
    """A file of Cboe has SPX and SPXW."""
    body = feed_with("spec.source", {"replay": REPLAY})
    body["spec"]["products"] = ["SPX", "SPXW"]
    assert ask_server(crd_server, body)[0]
    assert parse_file(body, tmp_path)[0]


ACCEPTED: list[tuple[str, object]] = [
    ("spec", {"products": ["NIFTY"], "source": {"synthetic": {}}}),
    ("spec.mode", REMOVED),
    ("spec.mode", "Recommend"),
    ("spec.enricher", REMOVED),
    ("spec.generator", REMOVED),
    ("spec.enricher", {}),
    ("spec.enricher.target", {}),
    ("spec.enricher.replicas", 0),
    ("spec.enricher.minReplicas", 20),
    ("spec.enricher", {"minReplicas": 1000, "maxReplicas": 1000}),
    ("spec.enricher.target", {"utilizationPercent": 100, "catchUpSeconds": 3600}),
    ("spec.generator", {"minReplicas": 8}),
    ("spec.generator", {"minReplicas": 0, "maxReplicas": 0}),
    ("spec.products", ["M&M", "BAJAJ-AUTO", "0" * 20]),
    ("spec.source", {"synthetic": {}}),
    ("spec.source.synthetic.seed", 2**32 - 1),
    ("spec.source", {"external": {}}),
    ("spec.source", {"deribit": DERIBIT}),
    ("spec.source", {"deribit": {**DERIBIT, "url": "ws://localhost:1"}}),
    ("spec.source", {"kite": {}}),
    ("spec.source", {"kite": {"expiries": 50, "secretRef": {"name": "kite"}}}),
    ("spec.source", {"kite": {"url": "ws://[::1]:8080/x", "apiUrl": "http://127.0.0.1:8080"}}),
    ("spec.source", {"replay": {"configMapRef": {"name": "x"}}}),
    ("spec.source", {"replay": {"configMapRef": {"name": "x", "key": "chain.csv"}, "loop": "Once"}}),
    ("spec.source", {"replay": {**REPLAY, "path": "x.yaml"}}),
    ("spec.source", {"replay": {**REPLAY, "format": "nse", "expiry": "2024-06-27", "spot": "23501.1"}}),
    ("spec.source", {"replay": {**REPLAY, "format": "deribit", "spot": "0.05", "groupMillis": 0}}),
    ("spec.source", {"replay": {**REPLAY, "asOf": "2024-06-21T10:00:00.123456789Z"}}),
    (
        "spec.source",
        {"replay": {**REPLAY, "from": "2024-06-21T10:00:00Z", "to": "2024-06-21T15:30:00+05:30"}},
    ),
    ("spec.source", {"replay": {**REPLAY, "to": "2024-06-21T15:30:00+05:30"}}),
    ("metadata.annotations", {"deltastream.dev/paused": "true"}),
]


@pytest.mark.parametrize(("place", "value"), ACCEPTED)
def test_server_and_file_parser_read_a_valid_feed_alike(
    place: str, value: object, crd_server: ApiServer, tmp_path: Path
) -> None:
    """Both accept the resource. With the defaults filled in, both results are the same feed."""
    body = feed_with(place, value)
    (tmp_path / "x.yaml").write_text("a file that a path may name")
    feeds, problems = resource.parse(yaml.safe_dump(body), tmp_path / "x.yaml")
    accepted, stored = ask_server(crd_server, body)
    assert (accepted, problems) == (True, []), stored
    feed, unread = resource.from_cluster(json.loads(stored))
    assert unread == []
    if place == "spec.source" and "path" in str(value):
        feeds = [resource.parse(yaml.safe_dump(feed_with(place, {"replay": REPLAY})), tmp_path / "x")[0][0]]
    assert feed == feeds[0]


def test_the_default_mode_is_automatic(crd_server: ApiServer) -> None:
    """The server stores the default in the feed, and the OpenAPI schema has it."""
    accepted, stored = ask_server(crd_server, feed_with("spec.mode", REMOVED))
    assert accepted, stored
    assert json.loads(stored)["spec"]["mode"] == "Automatic"
    document = crd_server.request("GET", "/openapi/v3/apis/deltastream.dev/v1alpha1")[1]
    kind = document["components"]["schemas"]["dev.deltastream.v1alpha1.DeltaStreamFeed"]
    assert kind["properties"]["spec"]["properties"]["mode"]["default"] == "Automatic"


def test_every_field_is_explained() -> None:
    """Each field has a description, with the default, for `kubectl explain`, and each value has a bound."""
    schema = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, node in nodes("", schema):
        if path == ".metadata":
            continue
        assert node.get("description", "").endswith((".", ": Stalled.")), path
        if not path.startswith(".spec"):  # only the operator writes the status, and it limits the sizes
            continue
        default = node.get("default", {})
        assert isinstance(default, dict) or f" Default {default}." in node["description"], path
        kind = node["type"]
        bounds = {"string": "maxLength", "integer": "maximum", "number": "maximum", "array": "maxItems"}
        bound = bounds.get(kind)
        assert bound is None or bound in node or "enum" in node, path
        assert "x-kubernetes-preserve-unknown-fields" not in node, path


def nodes(path: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a schema and all schemas inside it, each with its path."""
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from nodes(f"{path}.{name}", inner)
    if "items" in node:
        yield from nodes(f"{path}[]", node["items"])


@pytest.fixture
def stored(crd_server: ApiServer) -> Iterator[ApiServer]:
    """Store GOOD in mode Manual with one enricher. Returns the server."""
    body = feed_with("spec.mode", "Manual")
    code, answer = crd_server.request("POST", FEEDS, body)
    assert code == 201, answer
    yield crd_server
    crd_server.request("DELETE", f"{FEEDS}/a")


def test_kubectl_explains_fields_and_refuses_unknown_ones(crd_server: ApiServer) -> None:
    """These are the first commands that a user runs."""
    explained = crd_server.kubectl("explain", "dsf.spec.enricher").stdout
    assert "Each is a pair of a subscriber and a Celery worker" in explained
    assert "Number of batches that one worker processes at the same time" in explained
    refused = crd_server.kubectl("apply", "-f", "-", given=yaml.safe_dump(feed_with("spec.colour", "red")))
    assert refused.returncode == 1
    assert 'unknown field "spec.colour"' in refused.stderr


def test_kubectl_scale_sets_replicas_within_their_bound(stored: ApiServer) -> None:
    """/scale writes spec.enricher.replicas. The schema also validates this write."""
    assert stored.kubectl("scale", "dsf/a", "--replicas=3").returncode == 0
    assert stored.request("GET", f"{FEEDS}/a")[1]["spec"]["enricher"]["replicas"] == 3
    refused = stored.kubectl("scale", "dsf/a", "--replicas=1001")
    assert refused.returncode == 1
    assert "spec.enricher.replicas" in refused.stderr


def test_a_status_is_stored_whole_and_shown(stored: ApiServer) -> None:
    """The schema has each field that the operator writes. The columns and /scale show them."""
    feed = a_feed(min_replicas=1, max_replicas=3)
    decision = decide(feed, load(lag=1_000_000), Current(enricher=1), NOON)
    selector = "deltastream.dev/feed=a"
    wrote = status.build({}, decision, serving(1, 2), source="synthetic", generation=1, selector=selector)
    code, answer = stored.request(
        "PATCH", f"{FEEDS}/a/status?fieldValidation=Strict", {"status": wrote}, "application/merge-patch+json"
    )
    assert code == 200, answer
    assert answer["status"] == wrote
    scale = stored.request("GET", f"{FEEDS}/a/scale")[1]
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 2, "selector": selector})
    head, row = stored.kubectl("get", "dsf", "a", "-o", "wide").stdout.splitlines()
    columns = "NAME MODE SOURCE GENERATORS ENRICHERS DESIRED READY CONNECTED REASON AGE"
    assert head.split() == columns.split()
    assert row.split()[:8] == ["a", "Manual", "synthetic", "1", "2", "3", "False", "BacklogCatchUp"]
    assert stored.kubectl("get", "deltastream").stdout.splitlines()[0].split()[0] == "NAME"


def test_a_refused_status_is_stored_whole(stored: ApiServer) -> None:
    """A feed that the operator refuses has a shorter status."""
    from deltastream_operator.domain.observed import Problem

    problem = Problem(reason="ProductTaken", message="m")
    wrote = status.refused({}, problem, serving(0, 0), now=NOON, generation=1, selector="a=b")
    answer = stored.request("PATCH", f"{FEEDS}/a/status", {"status": wrote}, "application/merge-patch+json")[
        1
    ]
    assert answer["status"] == wrote


def test_the_server_accepts_all_samples(crd_server: ApiServer) -> None:
    """The README applies `k8s/samples/`. `k8s/samples/instead/` has the alternatives to it."""
    for folder in ("k8s/samples/", "k8s/samples/instead/"):
        done = crd_server.kubectl(
            "apply", "--dry-run=server", "--validate=strict", "-f", str(CRD.parents[2] / folder)
        )
        assert done.returncode == 0, done.stderr


def test_the_selector_of_the_readme_leaves_out_the_samples_that_need_the_internet(
    crd_server: ApiServer,
) -> None:
    """`make up` applies the folder with the same selector: most clusters let no pod out."""
    folder = str(CRD.parents[2] / "k8s/samples/")
    options = ("--dry-run=server", "--output=name", "--selector=deltastream.dev/needs!=internet")
    done = crd_server.kubectl("apply", *options, "-f", folder)
    assert done.returncode == 0, done.stderr
    names = {line.partition("/")[2] for line in done.stdout.splitlines()}
    assert names == {"external", "manual", "nifty-2024-06-21", "nifty-replay", "synthetic"}
