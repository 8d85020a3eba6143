"""The OpenAPI document, generated from the routes, and the Swagger UI page that shows it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, request

_ASSETS = str(
    files("flask_openapi3_swagger") / "templates" / "swagger"
)  # served by the gateway, not by a CDN
_CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles on its elements
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    )
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DeltaStream API</title>
<link rel="icon" href="/api/docs/assets/images/swagger.svg">
<link rel="stylesheet" href="/api/docs/assets/css/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/assets/js/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = 'SwaggerUIBundle({url: "/api/openapi.json", dom_id: "#swagger-ui", deepLinking: true});\n'


_MESSAGE = {"type": "object", "description": "A market message; its contract depends on `kind`."}
_PUSHED = {
    "required": True,
    "content": {
        "application/x-ndjson": {"schema": {"type": "string", "description": "One message a line."}},
        "application/json": {"schema": {"type": "array", "minItems": 1, "items": _MESSAGE}},
    },
}

_HEALTH = {
    "tags": ["Health"],
    "summary": "Readiness of the gateway and its dependencies (also /readyz); /livez checks only itself.",
    "operationId": "health",
    "responses": {
        status: {
            "description": description,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["status", "service", "checks"],
                        "properties": {
                            "status": {"enum": ["healthy", "unhealthy"], "description": "Overall."},
                            "service": {"const": "api-gateway", "description": "This service."},
                            "checks": {
                                "type": "object",
                                "additionalProperties": {"enum": ["ok", "unavailable"]},
                                "description": "State of each dependency.",
                            },
                        },
                    }
                }
            },
        }
        for status, description in (("200", "All are ready."), ("503", "At least one is unavailable."))
    },
}


def install(app: Flask, document: dict[str, Any]) -> None:
    """Serve `document` at /api/openapi.json, and at /api/docs as JSON or, to browsers, as a page."""
    content = orjson.dumps(document)
    pages = Blueprint("docs", __name__, static_folder=_ASSETS, static_url_path="/api/docs/assets")

    @pages.get("/api/openapi.json")
    def openapi() -> Response:
        return Response(content, content_type="application/json")

    @pages.get("/api/docs")
    def docs() -> Response:
        # The original answers JSON here. Only a client that prefers HTML gets the page; curl sends */*.
        kind = request.accept_mimetypes.best_match(("application/json", "text/html"), "application/json")
        answer = openapi() if kind == "application/json" else Response(_PAGE, content_type="text/html")
        if kind == "text/html":
            answer.headers["Content-Security-Policy"] = _CSP
        answer.vary.add("Accept")
        return answer

    @pages.get("/api/docs/start.js")
    def start() -> Response:
        return Response(_START, content_type="text/javascript")

    app.register_blueprint(pages)


def completed(document: dict[str, Any], *, anonymous_read: bool) -> dict[str, Any]:
    """Complete the generated document: optional bodies, optional tokens and /health. Returns `document`."""
    for path in document["paths"].values():
        for operation in path.values():
            body = operation.get("requestBody")
            if body and body["content"]["application/json"]["schema"]["$ref"].endswith("/Refresh"):
                body["required"] = False
            if anonymous_read and "get" in path and operation.get("security"):
                operation["security"] = [*operation["security"], {}]
    document["paths"]["/api/ingest/{feed}"]["post"]["requestBody"] = _PUSHED
    document["paths"]["/health"] = {"get": _HEALTH}
    return document
