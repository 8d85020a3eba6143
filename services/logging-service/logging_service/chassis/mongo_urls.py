"""What a MongoDB URL means: what PyMongo reads in it, in every service.

What PyMongo would only warn of and leave out (`tls=yes`, `tsl=true`, an option given twice) is refused at the
start: it may be the option that asks for TLS. The refusal tells nothing of the URL: any part may belong to a
password that is not percent-encoded.
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
    """The URL. Raises ValueError with the rule."""
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must be a mongodb:// or mongodb+srv:// URL")
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError("must not contain spaces or line ends")
    if re.fullmatch(r"[a-z+]+://([^/@]*@)?(/[^@]*)?", url):
        raise ValueError(f"must be {_FORM}; the host is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            # PyMongo's advice on Amazon DocumentDB and Azure Cosmos DB.
            warnings.filterwarnings("ignore", message="You appear to be connected to a")
            client: MongoClient[dict[str, object]] = MongoClient(
                url, connect=False
            )  # no look into DNS either
            client.close()
            parts = urlsplit(url)
    except OSError:
        raise ValueError("tlsCAFile and tlsCertificateKeyFile must be readable files in PEM") from None
    except (PyMongoError, UserWarning, TypeError, ValueError):
        raise ValueError(
            f"must be {_FORM}, with / ? # : @ % in the password as %2F and so on, and only with options, "
            "each once, that PyMongo knows, such as tls=true"
        ) from None
    options = parts.query.lower().split("&")
    if ";" in parts.path + parts.query or parts.fragment:
        raise ValueError(f"must be {_FORM}, with & between the options")
    turn_on = ("tls=true", "ssl=true", "tlscafile=", "tlscertificatekeyfile=")
    encrypted = any(option.startswith(turn_on) for option in options)
    encrypted |= url.startswith("mongodb+srv:") and {"tls=false", "ssl=false"}.isdisjoint(options)
    if not encrypted and any(option.startswith("tls") and option != "tls=false" for option in options):
        raise ValueError("must have tls=true with its other options for TLS, which do not turn it on")
    if not encrypted and "authmechanism=plain" in options:
        raise ValueError("must have tls=true with authMechanism=PLAIN, which sends the password as it is")
    return url
