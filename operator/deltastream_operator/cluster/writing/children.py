"""Build the manifests of a feed's workloads from the chart's pod templates. Pure functions.

The chart defines images, hardening, probes and Secrets. This module adds only what depends on the feed.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from deltastream_operator.domain.environment import SPEC_FIELDS, environment
from deltastream_operator.domain.feed import API_VERSION, KIND, Component, ConfigMapRef, Feed, Kite, Replay
from deltastream_operator.kubernetes import names

RECORDINGS = "/recording"
CREDENTIALS = "/credentials"
_CREDENTIAL_FILES = {"KITE_API_KEY_FILE": "api-key", "KITE_ACCESS_TOKEN_FILE": "access-token"}


def manifest(
    feed: Feed, component: Component, template: Mapping[str, Any], *, owner: Mapping[str, Any], shards: int
) -> dict[str, Any]:
    """Return what the field manager `deltastream-operator` applies: everything but `replicas`.

    `owner` is the feed's body, `template` the chart's PodTemplateSpec, `shards` the number of generators.
    """
    kind = names.KINDS[component]
    metadata = owner["metadata"]
    selector = names.selector(feed.name, component)
    pod = _pod(feed, component, template, shards)
    release = {
        key: value for key, value in template["metadata"]["labels"].items() if key != names.COMPONENT_LABEL
    }
    spec: dict[str, Any] = {"selector": {"matchLabels": selector}, "template": pod, "revisionHistoryLimit": 3}
    if component == "generator":
        # A StatefulSet runs an ordinal at most once, so no product has two generators. All may start at once.
        spec |= {"serviceName": names.workload(feed.name, component), "podManagementPolicy": "Parallel"}
    else:
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": kind.kind,
        "metadata": {
            "name": names.workload(feed.name, component),
            "namespace": metadata["namespace"],
            "labels": {**release, **selector, names.MANAGED_BY_LABEL: names.MANAGER},
            "annotations": {},
            "ownerReferences": [_reference(metadata)],
        },
        "spec": spec,
    }
    if component == "generator":
        body["metadata"]["annotations"][names.SHARD_COUNT] = str(shards)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    body["metadata"]["annotations"][names.SPEC_HASH] = digest
    return body


def replicas(feed: str, component: Component, namespace: str, count: int) -> dict[str, Any]:
    """Return what the field manager `deltastream-scaler` applies: only the replicas."""
    return {
        "apiVersion": "apps/v1",
        "kind": names.KINDS[component].kind,
        "metadata": {"name": names.workload(feed, component), "namespace": namespace},
        "spec": {"replicas": count},
    }


def changes(wanted: Mapping[str, Any], running: Mapping[str, Any]) -> list[str]:
    """Return the fields of the spec in which the workloads differ, else that the chart's template differs."""
    new, old = _added_for_feed(wanted), _added_for_feed(running)
    found = {
        SPEC_FIELDS.get(key, "source") for key in new.keys() | old.keys() if new.get(key) != old.get(key)
    }
    return sorted(found) or ["the chart's pod template"]


def _added_for_feed(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `_pod` added for the feed. The API server sets defaults only in other fields."""
    pod = body["spec"]["template"]["spec"]
    variables = pod["containers"][0].get("env", [])
    own = {each["name"]: each.get("value") for each in variables if each["name"] in SPEC_FIELDS}
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    return own | {
        "recording": volumes.get("recording", {}).get("configMap", {}).get("name"),
        "credentials": volumes.get("credentials", {}).get("secret", {}).get("secretName"),
    }


def _reference(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _pod(feed: Feed, component: Component, template: Mapping[str, Any], shards: int) -> dict[str, Any]:
    pod: dict[str, Any] = copy.deepcopy(dict(template))
    pod["metadata"]["labels"] |= {
        **names.selector(feed.name, component),
        names.MANAGED_BY_LABEL: names.MANAGER,
    }
    spec = pod["spec"]
    added = _variables(feed, component, shards)
    own = {variable["name"] for variable in added}
    for container in spec["containers"]:
        # The chart's user may set any variable, but the API server refuses a name that appears twice.
        given = [variable for variable in container.get("env", []) if variable["name"] not in own]
        container["env"] = [*given, *added]
    for constraint in spec.get("topologySpreadConstraints", []):
        constraint.setdefault("labelSelector", {"matchLabels": names.selector(feed.name, component)})
    if component == "generator":
        for path, volume in _volumes(feed):
            spec["volumes"] = [*spec.get("volumes", []), volume]
            for container in spec["containers"]:
                mount = {"name": volume["name"], "mountPath": path, "readOnly": True}
                container["volumeMounts"] = [*container.get("volumeMounts", []), mount]
    return pod


def _volumes(feed: Feed) -> list[tuple[str, dict[str, Any]]]:
    """Return what a feed's generators read from files, with the folder of each.

    The credentials are optional for the kubelet: without them the generator starts and says what is missing.
    Files of a Secret follow its changes, variables do not. The pod gets no other key of the Secret.
    """
    volumes: list[tuple[str, dict[str, Any]]] = []
    if config_map := _config_map(feed):
        volumes.append((RECORDINGS, {"name": "recording", "configMap": {"name": config_map.name}}))
    if isinstance(feed.source, Kite) and feed.source.secret:
        secret = {
            "secretName": feed.source.secret,
            "optional": True,
            "defaultMode": 0o440,
            "items": [{"key": key, "path": key} for key in _CREDENTIAL_FILES.values()],
        }
        volumes.append((CREDENTIALS, {"name": "credentials", "secret": secret}))
    return volumes


def _variables(feed: Feed, component: Component, shards: int) -> list[dict[str, Any]]:
    """Return the variables of a component's containers. A generator's SHARD_INDEX is its pod's ordinal."""
    config_map = _config_map(feed)
    recording = f"{RECORDINGS}/{config_map.key}" if config_map else ""
    values = environment(feed, component, shards=shards, recording=recording)
    variables: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    if component == "generator" and isinstance(feed.source, Kite):
        variables += [
            {"name": name, "value": f"{CREDENTIALS}/{key}"} for name, key in _CREDENTIAL_FILES.items()
        ]
    if component == "generator":
        ordinal = {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}
        variables.append({"name": "SHARD_INDEX", "valueFrom": ordinal})
    return variables


def _config_map(feed: Feed) -> ConfigMapRef | None:
    """Return the ConfigMap of the feed's recording, or None if the feed does not replay one."""
    return feed.source.config_map if isinstance(feed.source, Replay) else None
