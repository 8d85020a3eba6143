"""An import of files: what is asked, the importer's arguments, the new feed, and how far it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deltastream_operator.domain.feed import API_VERSION, KIND, REPLAY_FORMATS

Stage = Literal["waiting", "converting", "checking", "running", "refused", "cancelled"]
FIELDS = {
    "PRODUCTS": "products",
    "REPLAY_AS_OF": "as_of",
    "REPLAY_EXPIRY": "expiry",
    "REPLAY_SPOT": "spot",
    "DEFINITIONS": "spec.definitions",
}
"""The member of a request for each setting that the importer names in brackets or first in an error."""
_ID = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")
_AS_OF = re.compile(r"[0-9T:.+-]{16,40}Z?")
_EXPIRY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SETTING = re.compile(r"(?<=\()[A-Z_]+(?=\))|^[A-Z_]+(?=:)")


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """A request of the gateway (contract `import-request`). `id` is also the name of the files' folder."""

    id: str
    feed: str
    format: str
    as_of: str | None
    spot: float | None
    expiry: str | None
    products: tuple[str, ...]
    account: str

    def arguments(self, files: str, out: str) -> list[str]:
        """Return the importer's arguments. The files come last, behind `--`, whatever their names are."""
        stated = {"--as-of": self.as_of, "--spot": self.spot, "--expiry": self.expiry}
        options = [f"{name}={value}" for name, value in stated.items() if value is not None]
        products = [f"--product={name}" for name in self.products]
        return [f"--out={out}", f"--format={self.format}", *options, *products, "--", files]


def read_request(raw: bytes) -> ImportRequest:
    """Return a request. Raises ValueError, KeyError, TypeError or RecursionError if it is none."""
    body = json.loads(raw)
    as_of, spot, expiry, products = body["as_of"], body["spot"], body["expiry"], body["products"]
    rules = {
        "id": _ID.fullmatch(body["id"]),
        "account": _ID.fullmatch(body["account"]),
        "feed": _NAME.fullmatch(body["feed"]),
        "format": body["format"] in REPLAY_FORMATS,
        "as_of": as_of is None or _AS_OF.fullmatch(as_of),
        "spot": spot is None or type(spot) in (int, float),
        "expiry": expiry is None or _EXPIRY.fullmatch(expiry),
        "products": all(_PRODUCT.fullmatch(product) for product in products),
    }
    if broken := [field for field, kept in rules.items() if not kept]:
        raise ValueError(f"{', '.join(broken)} breaks the contract import-request")
    return ImportRequest(
        id=body["id"],
        feed=body["feed"],
        format=body["format"],
        as_of=as_of,
        spot=spot,
        expiry=expiry,
        products=tuple(products),
        account=body["account"],
    )


def read_cancel(raw: bytes) -> tuple[str, str]:
    """Return id and account of a contract `import-cancel`. Raises as `read_request`."""
    body = json.loads(raw)
    if not (_ID.fullmatch(body["id"]) and _ID.fullmatch(body["account"])):
        raise ValueError("id or account breaks the contract import-cancel")
    return body["id"], body["account"]


def feed_document(name: str, recording: str, products: Sequence[str]) -> str:
    """Return the text of a feed that replays a recording, whose path is relative to the text's file."""
    spec = {"mode": "Automatic", "products": list(products), "source": {"replay": {"path": recording}}}
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
    return json.dumps(document, indent=2) + "\n"  # JSON is YAML


def state(
    request: ImportRequest,
    stage: Stage,
    detail: str,
    *,
    read: int = 0,
    of: int = 0,
    report: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the state of an import (contract `import-state`)."""
    found = {"id": request.id, "feed": request.feed, "stage": stage, "read": read, "of": of}
    return json.dumps({**found, "detail": detail[:4000], "report": report}).encode()


def worded(text: str, folder: str) -> str:
    """Return a text of the importer with members of a request for settings, and without the folder."""
    return _SETTING.sub(lambda found: FIELDS.get(found[0], found[0]), text.replace(f"{folder}/", ""))


def shown(report: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return the importer's report as the contract has it: its texts for the page, and names of files."""
    problems = [
        {**one, "text": worded(one["text"], folder)[:2000], "file": one["file"].rpartition("/")[2]}
        for one in report["problems"][:1000]
    ]
    return {**report, "problems": problems}
