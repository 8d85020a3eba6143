"""Test the settings of the operator process: all problems are reported at once, without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from devcluster.processes.operator_process import template

from deltastream_operator.cluster import settings as cluster_settings
from deltastream_operator.errors import SettingsError


@pytest.fixture
def workloads(tmp_path: Path) -> Path:
    """Return a folder with the chart's two pod templates."""
    for component in ("generator", "enricher"):
        (tmp_path / f"{component}.yaml").write_text(yaml.safe_dump(template(component, component)))
    return tmp_path


def test_all_invalid_settings_are_reported_at_once(tmp_path: Path) -> None:
    """Each line has the variable, its value and the rule. A value that may contain a password is left out."""
    wrong = {"REDIS_URL": "http://:hunter2@x", "PORT": "99999", "LOG_LEVEL": "LOUD"}
    with pytest.raises(SettingsError) as caught:
        cluster_settings.load(wrong | {"WORKLOADS_DIR": str(tmp_path)})
    message = str(caught.value)
    for name in ("WATCH_NAMESPACE", "REDIS_URL", "PORT", "LOG_LEVEL", "generator.yaml", "enricher.yaml"):
        assert name in message
    assert "hunter2" not in message


def test_the_redis_url_is_read_from_a_file(workloads: Path) -> None:
    """REDIS_URL_FILE names the file. A line end in the file does not belong to the URL."""
    secret = workloads / "url"
    secret.write_text("redis://operator:x@redis:6379/0\n")
    given = {"WATCH_NAMESPACE": "market", "REDIS_URL_FILE": str(secret), "WORKLOADS_DIR": str(workloads)}
    settings = cluster_settings.load(given)
    assert settings.redis_url == "redis://operator:x@redis:6379/0"
    assert (settings.namespace, settings.port) == ("market", 8080)


def test_a_template_without_containers_is_refused(workloads: Path) -> None:
    """The operator checks the templates at its start, not when the first feed appears."""
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
def test_an_invalid_template_is_refused_with_its_file(text: str, message: str, workloads: Path) -> None:
    """The ConfigMap may contain any text. The error is one line that names the file."""
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
def test_an_invalid_url_is_refused_without_its_text(variable: str, url: str, workloads: Path) -> None:
    """An existingSecret may contain any text. The error is one line with the variable and the rule."""
    secret = workloads / "url"
    secret.write_text(url)
    given = {"WATCH_NAMESPACE": "market", "WORKLOADS_DIR": str(workloads)}
    with pytest.raises(SettingsError) as caught:
        cluster_settings.load(given | {variable: str(secret) if variable.endswith("FILE") else url})
    message = str(caught.value)
    assert message.startswith(f"{variable}=(secret): must be ")
    assert "\n" not in message
    assert "hunter" not in message


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
def test_every_url_that_redis_py_accepts_is_accepted(url: str, workloads: Path) -> None:
    """The settings must not be stricter than the driver."""
    given = {"WATCH_NAMESPACE": "market", "WORKLOADS_DIR": str(workloads), "REDIS_URL": url}
    assert cluster_settings.load(given).redis_url == url
