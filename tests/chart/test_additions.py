"""Additions by users: variables, volumes, labels, accounts, spread constraints; which of them reach hooks."""

from __future__ import annotations

import json

import yaml

from tests.chart.render import BLOCKS, COMPONENT, ci, kind, name, objects, pods, template


def test_additions_reach_every_pod_of_their_component() -> None:
    """The additions are variables, volumes, labels, spread constraints and accounts.

    A hook's pod gets those of the component whose image it runs, if they exist when the hook runs.
    """
    before = {"crd-upgrade", "init-secrets"}
    hooks = before | {"smoke", "unauthorised-client", "mongodb-init"}
    seen = set()
    for pod in pods(ci("all-enabled")):
        seen.add(pod.component)
        for container in pod.spec["containers"]:
            env = {each["name"]: each for each in container.get("env", [])}
            if pod.component not in {*before, "unauthorised-client"}:  # these read no settings
                assert env["TZ"]["value"] == "Asia/Kolkata", pod.owner
                assert "valueFrom" in env["NODE_NAME"], pod.owner
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert mounts.get("company") == (None if pod.component in before else "/etc/company"), pod.owner
            assert container["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, pod.owner
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        if pod.component not in before:
            assert volumes["company"]["configMap"]["name"] == "deltastream-extra", pod.owner
        assert pod.security["supplementalGroups"] == [5000], pod.owner
        assert pod.spec["dnsConfig"] == {"options": [{"name": "ndots", "value": "2"}]}, pod.owner
        if pod.component not in hooks:
            assert pod.labels["example.com/tier"] == "options", pod.owner
            (spread,) = pod.spec["topologySpreadConstraints"]
            assert spread["topologyKey"] == "topology.kubernetes.io/zone", pod.owner
            counted = spread.get("labelSelector", {}).get("matchLabels", {})
            assert counted.items() <= pod.labels.items(), pod.owner
            # The operator adds the selector to the pods that it creates.
            assert bool(counted) is not pod.owner.startswith("ConfigMap/"), pod.owner
    assert seen >= set(BLOCKS.values()) | hooks
    for account in kind(ci("all-enabled"), "ServiceAccount"):
        component = account["metadata"]["labels"][COMPONENT]
        own = account["metadata"]["annotations"].get("example.com/identity")
        assert own == (None if component in hooks else "options"), name(account)


def test_a_pre_install_hook_needs_no_object_that_is_installed_later() -> None:
    """The hook's pod waits for each ConfigMap and Secret that it names, and `helm install` waits for it."""
    hook = "helm.sh/hook"
    release = ci("all-enabled")
    early = [
        each for each in release if "pre-install" in each["metadata"].get("annotations", {}).get(hook, "")
    ]
    made = {each["metadata"]["name"] for each in kind(early, "ConfigMap")} | {"kube-root-ca.crt"}
    assert {pod.component for pod in pods(early)} == {"crd-upgrade", "init-secrets"}
    for pod in pods(early):
        volumes = pod.spec["volumes"]
        sources = [*volumes, *pod.projected]
        assert {each["configMap"]["name"] for each in sources if "configMap" in each} <= made, pod.owner
        assert not [each for each in sources if "secret" in each], pod.owner
        assert not [each for each in pod.containers if "env" in each or "envFrom" in each], pod.owner


def test_a_spread_constraint_with_its_own_selector_is_not_changed() -> None:
    """The chart does not add the component's own selector to it."""
    mine = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    mine["labelSelector"] = {"matchLabels": {"mine": "x"}}
    for value in ("apiGateway", "workerEnricher"):
        release = objects(template(f"--set-json={value}.topologySpreadConstraints={json.dumps([mine])}"))
        assert [mine] in [pod.spec.get("topologySpreadConstraints") for pod in pods(release)], value


def test_a_users_variable_replaces_the_charts_variable_and_its_file_variant() -> None:
    mine = [
        {"name": "LOG_LEVEL", "value": "{{ .Values.logLevel | lower }}"},
        {"name": "REDIS_URL", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "url"}}},
        {"name": "NUMBER", "value": "{{ 1 }}e3"},
    ]
    (pod,) = [
        pod
        for pod in pods(objects(template(f"--set-json=analytics.extraEnv={json.dumps(mine)}")))
        if pod.component == "analytics"
    ]
    env = {each["name"]: each for each in pod.spec["containers"][0]["env"]}
    assert len(env) == len(pod.spec["containers"][0]["env"])
    assert env["LOG_LEVEL"]["value"] == "info"
    assert env["REDIS_URL"] == mine[1]
    assert env["NUMBER"]["value"] == "1e3"
    assert "REDIS_URL_FILE" not in env


def test_common_labels_are_on_every_object_and_pod_and_in_no_selector_or_claim() -> None:
    release = ci("shared-values")
    for each in release:
        assert each["metadata"]["labels"]["team"] == "options", name(each)
        assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == "desk", name(each)
        assert each["metadata"]["annotations"]["example.com/owner"] == "options@example.com", name(each)
    for pod in pods(release):
        assert pod.labels["team"] == "options", pod.owner
    for each in kind(release, "Deployment", "StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy"):
        assert "team" not in str({**each["spec"], "template": None}), name(each)
    hooks = [each for each in release if "helm.sh/hook" in each["metadata"]["annotations"]]
    assert {each["kind"] for each in hooks} >= {"Job", "Role", "NetworkPolicy"}
    (plan,) = [
        each["data"]["plan.yaml"] for each in kind(release, "ConfigMap") if "plan.yaml" in each["data"]
    ]
    assert all(secret["labels"]["team"] == "options" for secret in yaml.safe_load(plan)["secrets"])
