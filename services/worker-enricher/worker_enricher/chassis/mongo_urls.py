"""Check MongoDB URLs at start: PyMongo must understand every option.

PyMongo only warns about an option that it does not understand (`tls=yes`, `tsl=true`, an option given twice)
and ignores it. The ignored option may be the one that enables TLS, so such a URL is an error here. Error
texts show no part of the URL: any part may belong to a password that is not percent-encoded.
"""

from __future__ import annotations

import re
import warnings
from typing import Final
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError

_FORM: Final = "mongodb://user:password@host:port/database?option=value"


def checked(url: str) -> str:
    """Return the URL unchanged. Raises ValueError with the violated rule if it is invalid."""
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must be a mongodb:// or mongodb+srv:// URL")
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError("must not contain spaces or line ends")
    if re.fullmatch(r"[a-z+]+://([^/@]*@)?(/[^@]*)?", url):
        raise ValueError(f"must be {_FORM}; the host is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            # PyMongo's advice about Amazon DocumentDB and Azure Cosmos DB is not an error.
            warnings.filterwarnings("ignore", message="You appear to be connected to a")
            client: MongoClient[dict[str, object]] = MongoClient(
                url, connect=False
            )  # connect=False: no DNS lookup either
            client.close()
            parts = urlsplit(url)
    except OSError:
        raise ValueError("tlsCAFile and tlsCertificateKeyFile must be readable files in PEM") from None
    except (PyMongoError, UserWarning, TypeError, ValueError):
        raise ValueError(
            f"must be {_FORM}, with / ? # : @ % in the password percent-encoded (/ is %2F), "
            "and only with options that PyMongo knows, such as tls=true, each only once"
        ) from None
    options = parts.query.lower().split("&")
    if ";" in parts.path + parts.query or parts.fragment:
        raise ValueError(f"must be {_FORM}, with & between the options")
    turn_on = ("tls=true", "ssl=true", "tlscafile=", "tlscertificatekeyfile=")
    encrypted = any(option.startswith(turn_on) for option in options)
    encrypted |= url.startswith("mongodb+srv:") and {"tls=false", "ssl=false"}.isdisjoint(options)
    if not encrypted and any(option.startswith("tls") and option != "tls=false" for option in options):
        raise ValueError("must have tls=true: the other TLS options do not turn TLS on")
    if not encrypted and "authmechanism=plain" in options:
        raise ValueError("must have tls=true with authMechanism=PLAIN, which sends the password unencrypted")
    return url
