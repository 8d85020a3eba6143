"""The web page: the files of web/, read into memory at start, and the settings that the page reads first.

A browser may run only the scripts and styles of this folder, and may connect only to this gateway and to the
Socket.IO gateway (Content-Security-Policy).
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import orjson
from flask import Blueprint, Flask, Response, abort, request

FOLDER = Path(__file__).resolve().parents[1] / "web"
# The types of the files that are served. Other files of the folder, such as type declarations, are not.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HOST = re.compile(r"([A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?")
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file in memory: as it is, and compressed by gzip if that is smaller."""

    content_type: str
    body: bytes
    packed: bytes | None
    digest: str


def asset(content_type: str, body: bytes) -> Asset:
    packed = gzip.compress(body, mtime=0)
    digest = blake2b(content_type.encode() + b"\0" + body, digest_size=12).hexdigest()
    return Asset(content_type, body, packed if len(packed) < len(body) else None, digest)


def load(folder: Path) -> dict[str, Asset]:
    """Return the files of `folder` that a browser may request, by path relative to it."""
    return {
        path.relative_to(folder).as_posix(): asset(_TYPES[path.suffix], path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES and not path.name.endswith(".d.ts") and path.name != "manifest.json"
    }


def socket_origin(socket_url: str, host: str, scheme: str) -> str | None:
    """Return the origin to which the page opens its WebSocket, or None if it cannot be named in a policy.

    `socket_url` is the setting SOCKET_URL; `host` and `scheme` are those of the request. A policy cannot name
    an IPv6 address.
    """
    named = _HOST.fullmatch(host)
    if socket_url.startswith("http"):
        return f"ws{socket_url.removeprefix('http')}"
    if named is None:
        return None
    socket_host = named[1] + socket_url if socket_url else named[0]
    return f"{'wss' if scheme == 'https' else 'ws'}://{socket_host}"


def install(
    app: Flask, *, socket_url: str, anonymous_read: bool, local_run: bool, folder: Path = FOLDER
) -> None:
    """Serve `folder`: its index.html at `/`, all files and config.json below `/web/`."""
    config = {"socket_url": socket_url, "anonymous_read": anonymous_read, "local": local_run}
    assets = load(folder) | {"config.json": asset(_TYPES[".json"], orjson.dumps(config))}
    pages = Blueprint("page", __name__)

    @pages.get("/")
    def index() -> Response:
        return _answer(assets["index.html"], socket_url)

    @pages.get("/web/<path:name>")
    def file(name: str) -> Response:
        if name not in assets:
            abort(404)
        return _answer(assets[name], socket_url)

    app.register_blueprint(pages)


def _answer(found: Asset, socket_url: str) -> Response:
    """Return the file, or 304 if the browser has it. Browsers ask before each use."""
    packed = found.packed is not None and request.accept_encodings["gzip"] > 0
    answer = Response(found.packed if packed else found.body, content_type=found.content_type)
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.vary.add("Accept-Encoding")
    answer.set_etag(f"{found.digest}-gzip" if packed else found.digest)
    answer.headers["Cache-Control"] = "no-cache"
    origin = socket_origin(socket_url, request.host, request.scheme)
    connect = f"connect-src 'self' {origin}" if origin else "connect-src 'self'"
    answer.headers["Content-Security-Policy"] = "; ".join((*_POLICY, connect))
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.make_conditional(request.environ)
    return answer
