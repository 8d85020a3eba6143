"""The chart renders any values that its schema accepts. Hypothesis draws the values from the schema."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.chart.render import CHART, name, objects, pods, template

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
LABEL = st.sampled_from(["a", "1", ""])
# Not drawn: templates/00-validate.yaml reports contradictions between these and wrong addresses, and the CRD
# validates feeds.
APART = {"enabled", "externalRedis", "externalMongodb", "extraObjects", "feeds", "global", "affinity"}
APART |= {"parentRefs", "sources", "writers", "extraEnv", "extraVolumes", "extraVolumeMounts"}


def _drawn(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _drawn(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]] | beside)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    # For a type that may also be null, draw the other type.
    match node["type"] if isinstance(node["type"], str) else node["type"][0]:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(node.get("minimum"), node.get("maximum"))
        case "array":
            return st.lists(
                _drawn(node["items"]), min_size=node.get("minItems", 0), max_size=2, unique_by=str
            )
        case "object" if "properties" in node:
            inner = {key: _drawn(each) for key, each in node["properties"].items() if key not in APART}
            needed = {key: inner.pop(key) for key in node.get("required", [])}
            return st.fixed_dictionaries(needed, optional=inner)
        case "object":
            named = node.get("additionalProperties")
            inner = _drawn(named) if isinstance(named, dict) and "items" in named else LABEL
            return st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=4)
    return _text(node)


def _text(node: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" not in node:
        return st.sampled_from(["a", "1", "true"])
    pattern = node["pattern"].replace("$", r"\Z")  # Python's $ also matches before a final newline
    drawn = st.from_regex(pattern, alphabet=st.characters(max_codepoint=126, min_codepoint=32))
    return drawn.filter(lambda text: len(text) <= node.get("maxLength", 128))


@settings(
    max_examples=20,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(values=_drawn(SCHEMA))
def test_values_that_the_schema_accepts_always_render(values: dict[str, Any], tmp_path: Any) -> None:
    # Resolve the remaining contradictions: alerts and dashboards need metrics with a short enough interval.
    if any(values.get(key, {}).get("enabled") for key in ("alerts", "dashboards")):
        values["metrics"] = values.get("metrics", {}) | {"enabled": True, "interval": "1m"}
    values["ingress"] = values.get("ingress", {}) | {"enabled": True}
    values["httpRoute"] = values.get("httpRoute", {}) | {"enabled": True, "parentRefs": [{"name": "public"}]}
    # Anonymous reads through an Ingress need a host name, and the policies need the API server's address.
    for gateway in ("apiGateway", "socketGateway"):
        values[gateway] = values.get(gateway, {}) | {"allowedHosts": ["desk.example.com"]}
    policy = values.setdefault("networkPolicy", {})
    policy["apiServer"] = policy.get("apiServer", {}) | {"cidrs": ["10.0.0.0/8"]}
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(values))
    release = objects(template(f"--values={file}", "--set=backup.enabled=true"))
    assert len({name(each) for each in release}) == len(release)
    assert len(pods(release)) >= 10


def test_a_name_of_digits_is_rendered_as_a_string() -> None:
    options = ["operator.priorityClassName", "auth.existingSecret", "redis.persistence.storageClass"]
    text = template(*(f"--set-string={option}=17" for option in options))
    assert ": 17\n" not in text
    assert text.count('"17"') >= len(options)
