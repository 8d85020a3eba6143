"""Check Redis URLs at start, and return them in the form that redis-py understands.

redis-py silently misreads some URLs: it connects to another host, or to database 0. Such a URL is an error
here. Error texts show no part of the URL except options and file names: any other part may belong to a
password that is not percent-encoded.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from redis.connection import ConnectionPool
from redis.exceptions import RedisError

_FORM: Final = "must be redis://user:password@host:port/database"
_ENCODED: Final = f"{_FORM}, with / ? # : @ % in the password percent-encoded (/ is %2F)"
_SENTINEL: Final = "must name one server, the primary that accepts writes, not Sentinel or a Cluster"
_SOCKETS: Final = {"unix", "redis+socket", "redis+unix"}  # the names in redis-py, Celery and flask-limiter
_LOGIN: Final = {"username", "password"}
_CLIENT: Final = {
    "client_name", "health_check_interval", "max_connections", "retry_on_timeout",
    "socket_connect_timeout", "socket_read_size", "socket_timeout",
}  # fmt: skip
_NUMBERS: Final = {"max_connections", "socket_connect_timeout", "socket_read_size", "socket_timeout"}
_TLS: Final = {
    "ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile",
    "ssl_password",
}  # fmt: skip
_VERIFY: Final = {"cert_none": "none", "cert_optional": "optional", "cert_required": "required"}


def checked(url: str) -> str:
    """Return the URL in redis-py's own form. Raises ValueError with the violated rule if it is invalid."""
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError("must not contain spaces or line ends")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises
    except ValueError:
        raise ValueError(_ENCODED) from None
    scheme = "unix" if parts.scheme in _SOCKETS else parts.scheme
    if "sentinel" in scheme or "cluster" in scheme:
        raise ValueError(_SENTINEL)
    if scheme not in ("redis", "rediss", "unix") or "://" not in url:
        raise ValueError("must be a redis://, rediss:// (TLS) or unix:// (a socket file) URL")
    if scheme != "unix" and re.search("[,;]", parts.netloc.rpartition("@")[2] + parts.path):
        raise ValueError("must name one server, the primary that accepts writes, not a list of servers")
    _check_place(scheme, parts)
    options = _options(scheme, parts)
    query = f"?{urlencode(options)}" if options else ""
    made = f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{query}"
    _check_files(options)
    try:
        ConnectionPool.from_url(made).make_connection()  # does not connect
    except (RedisError, TypeError, ValueError):
        raise ValueError(f"{_FORM}, with option values that redis-py understands") from None
    return made


def _check_place(scheme: str, parts: SplitResult) -> None:
    """Check host, port and path. Raises ValueError with the violated rule.

    redis-py reads `redis://user:12/x@host` as host `user`, and `/zero` as database 0.
    """
    if parts.fragment or "@" in parts.query:
        raise ValueError(_ENCODED)
    if scheme == "unix":
        if parts.netloc.rpartition("@")[2] or len(parts.path) < 2:
            raise ValueError("must be unix:///path/of/the.sock?db=0, with three slashes")
        return
    if not parts.hostname and "@" not in parts.path:
        raise ValueError(f"{_FORM}; the host is missing")
    if not _is_host(parts.hostname or "") or parts.port == 0:
        raise ValueError(_ENCODED)
    if not re.fullmatch("/?|/[0-9]{1,5}/?", parts.path):
        raise ValueError(f"{_FORM}, where the database is a number")


def _is_host(name: str) -> bool:
    if ":" not in name:
        return re.fullmatch(r"[\w.-]+", name) is not None
    try:
        return bool(ipaddress.IPv6Address(name))
    except ValueError:
        return False


def _options(scheme: str, parts: SplitResult) -> dict[str, str]:
    """Return the URL's options with redis-py's names. Raises ValueError if one is unknown or invalid."""
    allowed = _CLIENT | {"db"}
    allowed |= _LOGIN if scheme == "unix" else {"socket_keepalive"}
    allowed |= _TLS if scheme == "rediss" else set()
    try:
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError:
        raise ValueError("must have options of the form ?name=value&name=value") from None
    options = {"db" if name == "virtual_host" and scheme == "unix" else name: value for name, value in given}
    if len(options) < len(given) or not all(options.values()):
        raise ValueError("must have each option only once, and with a value")
    if scheme == "redis" and any(name.startswith("ssl") for name in options):
        raise ValueError("must be a rediss:// URL for TLS: redis:// has no ssl options")
    if not allowed >= options.keys():
        raise ValueError(f"must use only these options: {', '.join(sorted(allowed))}")
    twice = scheme != "unix" and parts.path.strip("/") != ""
    if "db" in options and (twice or not re.fullmatch("[0-9]{1,5}", options["db"])):
        raise ValueError("must name the database once, as a number: in the path or as ?db=")
    if verify := options.get("ssl_cert_reqs"):
        options["ssl_cert_reqs"] = _VERIFY.get(verify.lower(), verify)
        if options["ssl_cert_reqs"] not in _VERIFY.values():
            raise ValueError(f"ssl_cert_reqs must be one of {', '.join(_VERIFY.values())}")
    for name in _NUMBERS & options.keys():
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", options[name]) or not float(options[name]):
            raise ValueError(f"{name} must be a number above 0")
    if options.get("ssl_check_hostname", "true").lower() not in ("true", "false"):
        raise ValueError("ssl_check_hostname must be true or false")
    return options


def _check_files(options: dict[str, str]) -> None:
    """Check the certificate files. Raises ValueError with the option and the file.

    redis-py reads the files only when it connects, and a missing file then looks like an outage.
    """
    if not _TLS & options.keys():
        return
    authority, folder = options.get("ssl_ca_certs"), options.get("ssl_ca_path")
    if folder is not None and not Path(folder).is_dir():
        raise ValueError(f"ssl_ca_path={folder!r}: must be a folder of CA certificates")
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise ValueError(f"ssl_ca_certs={authority!r}: must be CA certificates in PEM ({error})") from None
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if certificate is None and key is None:
        return
    try:  # the default password is empty: with None, OpenSSL asks for one at the terminal
        context.load_cert_chain(certificate or "", key, options.get("ssl_password", ""))
    except OSError as error:
        named = f"ssl_certfile={certificate!r}, ssl_keyfile={key!r}"
        raise ValueError(f"{named}: must be a certificate and its key in PEM ({error})") from None
