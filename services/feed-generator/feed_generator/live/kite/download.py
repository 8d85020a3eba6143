"""Download Kite's instrument list. It is read line by line, because it has some 10 MB."""

from __future__ import annotations

import ssl
from collections.abc import Collection
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from feed_generator.live.exchange import CHECK_NETWORK, Dropped
from feed_generator.live.kite import account, instruments
from feed_generator.live.kite.account import Account
from feed_generator.live.kite.instruments import Instruments

_TIMEOUT = urllib3.Timeout(connect=4.0, read=8.0)
_VERSION = {"X-Kite-Version": "3"}
_REFUSED = (401, 403)


def download(api_url: str, credentials: Account, wanted: Collection[str]) -> Instruments:
    """Return what the list of `api_url` says about the products `wanted`. Blocks for some seconds.

    Raises Unauthorized, Misconfigured or Dropped.
    """
    host = urlsplit(api_url).netloc.rpartition("@")[2]
    authorization = {"Authorization": f"token {credentials.api_key}:{credentials.access_token}"}
    try:
        with (
            _pool(api_url) as pool,
            pool.request(
                "GET",
                f"{api_url}/instruments",
                headers=_VERSION | authorization | {"Accept-Encoding": "gzip"},
                timeout=_TIMEOUT,
                retries=False,
                redirect=False,
                preload_content=False,
            ) as answer,
        ):
            if answer.status in _REFUSED:
                raise account.refused(host)
            if answer.status != 200:
                raise Dropped("BadAnswer", f"{host} answered {answer.status} to /instruments: check apiUrl")
            return instruments.read((line.decode() for line in answer), wanted)
    except urllib3.exceptions.HTTPError as error:
        if isinstance(cause := _cause(error), ssl.SSLCertVerificationError):
            problem = (
                f"the certificate of {host} is not trusted ({cause.verify_message}): check clock and apiUrl"
            )
            raise Dropped("BadCertificate", problem) from None
        problem = f"{host}: no instrument list ({type(cause).__name__})"
        raise Dropped("Unreachable", f"{problem}: {CHECK_NETWORK}") from None
    except UnicodeDecodeError:
        raise Dropped("BadAnswer", f"{host}: the instrument list is not UTF-8: check apiUrl") from None


def _pool(url: str) -> urllib3.PoolManager:
    """Return a pool that uses the proxy of the environment, as WebSocket connections do."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _cause(error: urllib3.exceptions.HTTPError) -> BaseException:
    """Return what is behind an error. The error's own text may have a proxy's URL, and so a password."""
    behind = getattr(error, "reason", None) or next(iter(error.args), None)
    return behind if isinstance(behind, BaseException) else error
