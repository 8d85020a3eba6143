"""The process's settings: every problem at once, and no secret in a message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from devcluster.processes.operator_process import template

from deltastream_operator.cluster import settings as cluster_settings
from deltastream_operator.errors import SettingsError


@pytest.fixture
def workloads(tmp_path: Path) -> Path:
    """The chart's two templates."""
    for component in ("generator", "enricher"):
        (tmp_path / f"{component}.yaml").write_text(yaml.safe_dump(template(component, component)))
    return tmp_path


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Rule: variable, value and rule, a line each; what may hold a password is not repeated."""
    wrong = {"REDIS_URL": "http://:hunter2@x", "PORT": "99999", "LOG_LEVEL": "LOUD"}
    with pytest.raises(SettingsError) as caught:
        cluster_settings.load(wrong | {"WORKLOADS_DIR": str(tmp_path)})
    said = str(caught.value)
    for name in ("WATCH_NAMESPACE", "REDIS_URL", "PORT", "LOG_LEVEL", "generator.yaml", "enricher.yaml"):
        assert name in said
    assert "hunter2" not in said


def test_a_secret_s_file_is_read(workloads: Path) -> None:
    """Rule: REDIS_URL_FILE wins, and its line end does not belong to it."""
    secret = workloads / "url"
    secret.write_text("redis://operator:x@redis:6379/0\n")
    given = {"WATCH_NAMESPACE": "market", "REDIS_URL_FILE": str(secret), "WORKLOADS_DIR": str(workloads)}
    known = cluster_settings.load(given)
    assert known.redis_url == "redis://operator:x@redis:6379/0"
    assert (known.namespace, known.port) == ("market", 8080)


def test_a_template_without_containers_is_refused(workloads: Path) -> None:
    """Rule: found at the start, not at the first feed."""
    (workloads / "enricher.yaml").write_text("spec: {}")
    given = {"WATCH_NAMESPACE": "market", "REDIS_URL": "redis://x", "WORKLOADS_DIR": str(workloads)}
    with pytest.raises(SettingsError, match=r"enricher\.yaml: must be a PodTemplateSpec"):
        cluster_settings.load(given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spec: [x]", "must be a PodTemplateSpec"),
        ("spec: {containers: x}", "must be a PodTemplateSpec"),
        ("spec: {containers: [{name: x}]}\nmetadata: [x]", "must be a PodTemplateSpec"),
        ('spec: {containers: [{name: !!int ""}]}', r"line 1: tags \(!!int\) are not allowed"),
        ("[" * 3000, "line 1: is nested too deeply"),
        ("", "must be one document, not 0"),
    ],
)
def test_a_mounted_template_may_hold_anything(text: str, message: str, workloads: Path) -> None:
    """Rule: whatever the ConfigMap holds, one line names the file."""
    (workloads / "enricher.yaml").write_text(text)
    given = {"WATCH_NAMESPACE": "market", "REDIS_URL": "redis://x", "WORKLOADS_DIR": str(workloads)}
    with pytest.raises(SettingsError, match=rf"^{workloads}/enricher\.yaml: {message}"):
        cluster_settings.load(given)


@pytest.mark.parametrize(
    "url",
    [
        "redis://operator:hunter/2@h",
        "redis://operator:12/hunter@h",
        "redis://operator:hunter#2@h",
        "redis://operator:12?hunter@h:6379/0",
        "redis://operator:hunter@h:port",
        "redis://[hunter",
        "redis://:hunter@/0",
        "redis://:hunter@h:6379/zero",
        "http://:hunter@h",
    ],
)
@pytest.mark.parametrize("variable", ["REDIS_URL", "REDIS_URL_FILE"])
def test_a_url_that_cannot_be_read_is_named_and_never_shown(variable: str, url: str, workloads: Path) -> None:
    """Rule: an existingSecret may hold anything; one line says which variable and what a password needs."""
    secret = workloads / "url"
    secret.write_text(url)
    given = {"WATCH_NAMESPACE": "market", "WORKLOADS_DIR": str(workloads)}
    with pytest.raises(SettingsError) as caught:
        cluster_settings.load(given | {variable: str(secret) if variable.endswith("FILE") else url})
    said = str(caught.value)
    assert said.startswith(f"{variable}=(secret): must be ")
    assert "\n" not in said
    assert "hunter" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://operator:pa%2Fss@h:6379/0",
        "rediss://operator:x@redis.market.svc:6379/0?health_check_interval=30",
        "redis://:x@[::1]:6379",
        "unix:///run/redis.sock?db=0",
    ],
)
def test_a_url_that_redis_py_reads_is_taken(url: str, workloads: Path) -> None:
    """Rule: what the driver understands is not refused."""
    given = {"WATCH_NAMESPACE": "market", "WORKLOADS_DIR": str(workloads), "REDIS_URL": url}
    assert cluster_settings.load(given).redis_url == url
