"""The OpenAPI document describes every route of the gateway, and the gateway conforms to it."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest
import redis
from tests.support.contracts import example, validator

from api_gateway.bootstrap import _flask_app
from api_gateway.config import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside schemathesis
    import schemathesis
    import schemathesis.specs.openapi.checks as oas
    from hypothesis import HealthCheck, Phase, given, settings

CHECKS = [
    schemathesis.checks.not_a_server_error,
    oas.status_code_conformance,
    oas.content_type_conformance,
    oas.response_schema_conformance,
]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html"])
def test_a_program_gets_the_document_as_json(client: Any, accept: str | None) -> None:
    """A program such as curl gets JSON at /api/docs, as from the original."""
    got = client.get("/api/docs", headers={"Accept": accept} if accept else {})
    assert got.json["openapi"] == "3.1.0"
    assert got.json == client.get("/api/openapi.json").json


def test_a_browser_gets_a_page_that_loads_only_assets_of_the_gateway(client: Any) -> None:
    """The page works offline: the gateway serves every asset, and the content policy allows no other."""
    got = client.get("/api/docs", headers={"Accept": BROWSER})
    assert got.content_type.startswith("text/html")
    assert "script-src 'self'" in got.headers["Content-Security-Policy"]
    assets = re.findall(r'(?:src|href)="([^"]+)"', got.text)
    assert len(assets) == 4
    for path in assets:
        assert path.startswith("/api/docs/")
        assert client.get(path).status_code == 200


def test_every_route_is_in_the_document(client: Any) -> None:
    """Every Flask route is in the document, also one that was not added through flask-openapi3."""
    rules = _flask_app(Settings(service_client_secret="x")).url_map.iter_rules()
    routes = {
        (re.sub("<(.+?)>", r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith(("docs.", "page."))
    }
    paths = client.get("/api/openapi.json").json["paths"]
    assert routes | {("/health", "get")} == {(path, method) for path, ops in paths.items() for method in ops}
    assert len(routes) == 27


def test_every_parameter_field_and_operation_is_described(client: Any) -> None:
    """Every parameter and field has a description, every operation a summary and a unique id."""
    document = client.get("/api/openapi.json").json
    operations = [operation for ops in document["paths"].values() for operation in ops.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] for one in operations)
    assert all(one["description"] for each in operations for one in each.get("parameters", []))
    for name, schema in document["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            assert "description" in value or "$ref" in value, (name, field)


@pytest.mark.parametrize("anonymous", [False, True])
def test_the_document_declares_that_reads_need_a_token(gateway: Any, anonymous: bool) -> None:
    """Reads declare that they need a token; with anonymous reads, that the token is optional."""
    document = gateway.client(anonymous_read=anonymous).get("/api/openapi.json").json
    expected = [{"bearer": []}, {}] if anonymous else [{"bearer": []}]
    assert document["paths"]["/api/data/products"]["get"]["security"] == expected
    assert "security" not in document["paths"]["/api/auth/login"]["post"]


def test_the_documented_feed_has_the_fields_of_the_contract(client: Any) -> None:
    """The gateway passes the operator's table through, so the document must name its fields."""
    schemas = client.get("/api/openapi.json").json["components"]["schemas"]
    contract = validator("feeds-table").schema
    row = contract["$defs"]["feed"]["properties"]
    for name, documented in (("FeedsTable", contract["properties"]), ("Feed", row)):
        assert list(schemas[name]["properties"]) == list(documented)
    for name, field in (("Condition", "conditions"), ("Decision", "decisions")):
        assert list(schemas[name]["properties"]) == list(row[field]["items"]["properties"])
    assert list(schemas["History"]["properties"]) == list(row["history"]["properties"])
    letter = validator("dead-letter").schema["properties"]
    assert list(schemas["DeadLetter"]["properties"]) == ["id", *letter]
    report = validator("feed-source").schema["properties"]
    assert list(schemas["SourceReport"]["properties"]) == list(report)


def test_the_gateway_conforms_to_the_document(gateway: Any, user: Any, redis_url: str) -> None:
    """Fuzzing of every operation yields no 5xx; statuses, types and bodies are as documented."""
    with redis.Redis.from_url(redis_url) as store:
        store.set("feeds:table", json.dumps(example("feeds-table", 2)))
    app = gateway.app(rate_limit_per_minute=100_000, auth_rate_limit_per_minute=100_000)
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    schema.validate()
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=25,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def conforms(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(headers=user, checks=CHECKS)

        conforms()
    assert tried > 100
