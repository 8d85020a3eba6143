"""values.schema.json accepts every value that values.yaml documents, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart.render import CHART, CI, Refused, helm, template

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
# Maps whose keys are the user's own: labels, selectors, Kubernetes' objects.
FREE = {"affinity", "annotations", "feeds", "global", "labels", "sources"}
FREE |= {"metricsFrom", "nodeSelector", "podAnnotations", "podLabels", "commonLabels", "commonAnnotations"}
# Kubernetes' own objects, whose keys the schema knows and values.yaml need not name.
KNOWN = {"podSecurityContext", "containerSecurityContext", "dnsConfig"}
FREE |= KNOWN
# `enabled` is the condition of a chart that includes this one; it has no default here.
UNDOCUMENTED = {("enabled",)}
Path_ = tuple[str, ...]
# No template of this chart reads it; a chart that includes this one may.
NOT_READ = {("global",)}
# Keys that every component has. test_additions.py and test_elsewhere.py check them in every pod with one
# render instead of a hundred.
OF_EVERY_COMPONENT = {"podLabels", "podSecurityContext", "containerSecurityContext", "serviceAccount"}
OF_EVERY_COMPONENT |= {"topologySpreadConstraints", "extraEnv", "extraVolumes", "extraVolumeMounts"}
# Releases in which a changed key can show: what one of them does not render, another does.
SHOWN_IN = ["all-enabled", "default", "external-stores"]
# A key's value is changed to the first of these that the schema accepts.
OTHERS: list[Any] = [
    True,
    False,
    7,
    99,
    999,
    "changed",
    "Always",
    "NodePort",
    "DEBUG",
    "WARNING",
    "9Gi",
    "45s",
]
OTHERS += ["10.9.0.0/16", ["10.9.0.0/16"], "17 3 * * *", f"sha256:{'a' * 64}", [7], ["storage"], ["polling"]]
OTHERS += [["0123456789abcdef0123456789abcdef"]]
OTHERS += [["DeltaStreamFeedLate"], "SingleStack", ["IPv4"], "0.0.0.0", "10.9.0.0/16"]
OTHERS += [[{"name": "changed", "mountPath": "/changed"}], [{"name": "changed", "value": "changed"}]]
OTHERS += [[{"maxSkew": 2, "topologyKey": "changed", "whenUnsatisfiable": "DoNotSchedule"}]]
OTHERS += [{"fsGroup": 7}, {"privileged": False}, {"searches": ["changed"]}]
OTHERS += [
    "https://changed.example.com",
    ["https://changed.example.com"],
    ["changed.example.com"],
    [{"secretName": "changed"}],
]
OTHERS += [
    [{"name": "changed"}],
    [{"key": "changed"}],
    {"podAffinity": {"changed": 1}},
    {"changed": "changed"},
]
OTHERS += [[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "changed"}}]]
OTHERS += [{"changed": {"products": ["CHANGED"], "source": {}}}]
OTHERS += [{"changed": [{"cidrs": ["10.9.0.0/16"], "port": 443}]}]


def _maps(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from _maps(inner, (*path, key))


def _leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict) and value and not FREE & set(path):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path


def _with(path: Path_, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(VALUES)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def _errors(values: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)]


def _at(path: Path_) -> dict[str, Any]:
    node = SCHEMA
    for key in path:
        node = node["properties"][key]
        while "$ref" in node:
            node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _properties(node: dict[str, Any], path: Path_ = ()) -> Iterator[Path_]:
    for key in node.get("properties", {}):
        yield (*path, key)
        if key not in FREE:
            yield from _properties(_at((*path, key)), (*path, key))


CLOSED = [path for path in _maps(VALUES) if not (FREE - KNOWN) & set(path) and not KNOWN & set(path[:-1])]


def test_the_schema_is_valid_and_accepts_the_defaults() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert _errors(VALUES) == []


@pytest.mark.parametrize("path", CLOSED, ids=lambda path: ".".join(path) or "root")
def test_an_unknown_key_is_refused_at_every_level(path: Path_) -> None:
    (error,) = _errors(_with((*path, "surprise"), 1))
    assert error.startswith(".".join(("$", *path)) + ":")
    assert "surprise" in error


def test_the_schema_has_exactly_the_documented_keys() -> None:
    documented = {path for path in _maps(VALUES) if path} | set(_leaves(VALUES))
    documented = {path for path in documented if not FREE & set(path[:-1])}
    known = set(_properties(SCHEMA)) - UNDOCUMENTED
    # Redis calls no other component, so the table has no line for it.
    known -= {("networkPolicy", "calls", "redis")}
    assert known == documented


def _at_path(values: Any, path: Path_) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


@cache
def _shown_in(stem: str) -> tuple[Path, dict[str, Any], str]:
    """A ci values file, its values and its release."""
    file = CHART / "ci" / f"{stem}.yaml"
    return file, yaml.safe_load(file.read_text()), template(f"--values={file}")


def _is_read(path: Path_) -> bool:
    """True if another value changes the release, or if a template refuses it."""
    fits = jsonschema.Draft202012Validator(SCHEMA).evolve(schema=_at(path)).is_valid
    others = [value for value in OTHERS if fits(value) and value != _at_path(VALUES, path)]
    assert others, f"OTHERS has no value for {'.'.join(path)}"
    for stem in SHOWN_IN:
        file, given, unchanged = _shown_in(stem)
        other = next((value for value in others if value != _at_path(given, path)), None)
        setting = f"--set-json={'.'.join(path)}={json.dumps(other)}"
        try:
            # Skip the schema: its refusal would count as one by a template.
            changed = template(f"--values={file}", setting, "--skip-schema-validation")
        except Refused:
            return True
        if changed != unchanged:
            return True
    return False


@pytest.mark.timeout(300)  # a render or two for each key
def test_every_key_is_read_by_a_template() -> None:
    keys = sorted(key for key in set(_leaves(VALUES)) - NOT_READ if not OF_EVERY_COMPONENT & set(key[1:]))
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(_is_read, keys))
    assert [".".join(key) for key, was in zip(keys, read, strict=True) if not was] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("auth", "replicas"), 0),
        (("auth", "replicas"), "2"),
        (("auth", "passwordMinLength"), 4),
        (("mongodb", "replicas"), 2),
        (("redis", "memoryMi"), 16),
        (("redis", "writers"), ["Mine"]),
        (("auth", "ingestAccounts"), ["desk@example.com"]),
        (("redis", "persistence", "size"), "large"),
        (("redis", "image", "digest"), "sha256:abc"),
        (("logLevel",), "verbose"),
        (("image", "pullPolicy"), "Sometimes"),
        (("apiGateway", "corsOrigins"), ["options.example.com"]),
        (("apiGateway", "service", "type"), "ExternalName"),
        (("socketGateway", "transports"), []),
        (("networkPolicy", "calls", "operator"), ["everybody"]),
        (("networkPolicy", "apiServer", "cidr"), "the-api-server"),
        (("networkPolicy", "apiServer", "cidrs"), ["fd00::/129"]),
        (("externalRedis", "cidrs"), ["10.0.0.1"]),
        (("listenAddress",), "127.0.0.1"),
        (("ipFamilies",), ["IPv5"]),
        (("ipFamilyPolicy",), "DualStack"),
        (("commonLabels",), {"app.kubernetes.io/instance": "other"}),
        (("commonLabels",), {"team": "o" * 64}),
        (("commonAnnotations",), {"helm.sh/hook": "test"}),
        (("auth", "podLabels"), {"app.kubernetes.io/component": "other"}),
        (("podSecurityContext", "runAsUser"), "root"),
        (("redis", "containerSecurityContext", "capabilities"), "none"),
        (("auth", "extraEnv"), [{"value": "1"}]),
        (("auth", "extraEnv"), [{"name": "PORT", "value": 1}]),
        (("auth", "extraVolumes"), [{"emptyDir": {}}]),
        (("auth", "extraVolumeMounts"), [{"name": "company"}]),
        (("auth", "topologySpreadConstraints"), [{"maxSkew": 1}]),
        (("global", "imageRegistry"), "https://mirror.example.com"),
        (("global", "imagePullSecrets"), [{"secret": "login"}]),
        (("global", "compatibility", "openshift", "adaptSecurityContext"), "always"),
        (("externalRedis", "port"), 0),
        (("fullnameOverride",), "Upper"),
        (("feeds",), {"Upper": {"products": ["NIFTY"], "source": {}}}),
        (("feeds",), {"india": {"source": {}}}),
        (("storage", "retentionDays", "ticks"), 0),
        (("auth", "resources", "limits"), {"cpu": "1", "memory": "64Mi"}),
        (("metrics", "interval"), "often"),
        (("alerts", "without"), ["DeltaStreamFeedLazy"]),
        (("alerts", "labels"), {"release": "not a label"}),
        (("dashboards", "labels"), {"grafana_dashboard": 1}),
        (("ingress", "hosts"), ["https://options.example.com"]),
        (("ingress", "hosts"), "options.example.com"),
        (("ingress", "className"), "NGINX"),
        (("ingress", "tls"), [{"hosts": ["options.example.com"]}]),
        (("httpRoute", "parentRefs"), [{"namespace": "gateways"}]),
        (("httpRoute", "parentRefs"), [{"name": "public", "gateway": "public"}]),
        (("httpRoute", "hostnames"), ["options.example.com:443"]),
        (("backup", "schedule"), "every night"),
        (("backup", "drill", "schedule"), "0 4 * *"),
        (("backup", "timeZone"), "UTC+5:30"),
        (("backup", "keep"), 1),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_with_its_path(path: Path_, value: Any) -> None:
    errors = _errors(_with(path, value))
    assert errors
    assert all(error.startswith(".".join(("$", *path))) for error in errors), errors


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_helm_lints_every_ci_file_without_a_warning(values: Path) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), f"--values={values}")


def test_helm_refuses_an_unknown_key_and_names_it() -> None:
    with pytest.raises(Refused, match=r"workerEnricher.*surprise"):
        template("--set=workerEnricher.worker.resources.surprise=1")


def test_a_chart_that_includes_this_one_may_set_global_and_enabled() -> None:
    assert "kind: Deployment" in template("--set=global.registry=example,enabled=true")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("redis.enabled=false", "externalRedis.existingSecret"),
        ("mongodb.enabled=false", "externalMongodb.existingSecret"),
        ("externalRedis.existingSecret=mine", "redis.enabled is true"),
        ("redis.enabled=false,externalRedis.existingSecret=mine", "externalRedis.cidr"),
        ("redis.writers={mine},redis.existingSecret=mine", "redis.writers: .*docs/how-to/push.md"),
        ("networkPolicy.apiServer.cidr=", "networkPolicy.apiServer.cidr"),
        ("auth.extraEnv[0].name=A,auth.extraEnv[1].name=A", "auth.extraEnv: A occurs twice"),
        ("redis.extraVolumes[0].name=data", "redis.extraVolumes: the chart has its own volume data"),
        ("alerts.enabled=true", "metrics.enabled"),
        ("dashboards.enabled=true", "metrics.enabled"),
        ("metrics.enabled=true,alerts.enabled=true,metrics.interval=2m", "metrics.interval"),
        ("metrics.enabled=true,alerts.enabled=true,metrics.interval=61s", "metrics.interval"),
        ("httpRoute.enabled=true", "httpRoute.parentRefs"),
        (
            "ingress.enabled=true,apiGateway.anonymousRead=true",
            "names that clients use in apiGateway.allowedHosts",
        ),
        (
            "ingress.enabled=true,ingress.hosts={options.example.com,*.example.com},socketGateway.anonymousRead=true",
            "socketGateway.anonymousRead.* ingress.hosts .* socketGateway.allowedHosts",
        ),
        (
            "httpRoute.enabled=true,httpRoute.parentRefs[0].name=a,apiGateway.anonymousRead=true",
            "httpRoute.hostnames .* apiGateway.allowedHosts",
        ),
    ],
)
def test_contradictions_are_refused_with_the_key_to_set(options: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        template(f"--set={options}")


@pytest.mark.parametrize(
    "more",
    [
        "apiGateway.allowedHosts={desk.example.com}",
        "ingress.hosts={desk.example.com}",
        "ingress.enabled=false",
    ],
)
def test_anonymous_reads_through_an_ingress_need_a_host_name(more: str) -> None:
    """Rule: any host name is enough, and none is needed without an Ingress."""
    template("--set=ingress.enabled=true,apiGateway.anonymousRead=true", f"--set={more}")
