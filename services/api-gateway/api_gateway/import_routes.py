"""The REST routes for importing files. Only the gateway of a local run has them."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Tag  # type: ignore[attr-defined]
from pydantic import AwareDatetime, BaseModel

from api_gateway.edge import MAX_IMPORT_BYTES
from api_gateway.identity import EXTENSION as IDENTITY
from api_gateway.identity import Identity
from api_gateway.imports import EXTENSION, Imports
from api_gateway.models import PRODUCT, Query, documented
from api_gateway.routes import BEARER, json_answer, problems

imports = APIBlueprint(
    "imports",
    __name__,
    url_prefix="/api/imports",
    abp_tags=[Tag(name="Imports", description="Files that a local run converts and replays.")],
    abp_security=BEARER,
    operation_id_callback=lambda *, name, **_others: name,
)


_ONE = PRODUCT.strip("^$")


class ImportPath(BaseModel):
    import_id: str = documented(pattern="^[0-9a-f]{32}$", description="Id of the import.", example="0f" * 16)


class ImportQuery(Query):
    """The new feed, and what the files do not say."""

    feed: str = documented(
        pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
        description="Name of the new feed, which no other feed has.",
        example="my-chain",
    )
    format: Literal["auto", "deltastream", "nse", "cboe", "yahoo", "deribit", "dbn"] = documented(
        "auto", description="Format of the files; auto: found out from their first lines."
    )
    as_of: AwareDatetime | None = documented(
        None, description="Time of prices without one, with its zone.", example="2024-06-21T15:30:00+05:30"
    )
    spot: float | None = documented(
        None, gt=0, le=1e9, description="Spot of files that do not state it; else it is derived."
    )
    expiry: date | None = documented(None, description="Expiry of contracts that have none (YYYY-MM-DD).")
    products: str | None = documented(
        None,
        pattern=f"^{_ONE}(,{_ONE}){{0,499}}$",
        description="Products of files that do not state them, with commas and without spaces.",
        example="NIFTY",
    )

    def stated(self) -> dict[str, Any]:
        """Return the members of the contract import-request that a query gives."""
        return {
            "feed": self.feed,
            "format": self.format,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "spot": self.spot,
            "expiry": self.expiry.isoformat() if self.expiry else None,
            "products": self.products.split(",") if self.products else [],
        }


class ImportState(BaseModel):
    """How far an import is."""

    id: str = documented(description="Id of the import.")
    feed: str = documented(description="Name of the new feed.")
    stage: str = documented(description="waiting, converting, checking, running, refused or cancelled.")
    read: int = documented(description="Bytes converted.")
    of: int = documented(description="Bytes of all files; 0: not known yet.")
    detail: str = documented(
        description="What happens: why it is refused and the fix, or where the result is."
    )
    report: dict[str, Any] | None = documented(
        description="What was found: rows, snapshots, chains, contracts, units and problems; null before."
    )


@imports.before_request
def only_operators() -> None:
    """Refuse all others before the body is read."""
    identity: Identity = current_app.extensions[IDENTITY]
    identity.account()
    identity.require_operator()


@imports.post("", responses={202: ImportState, **problems(400, 401, 403, 413, 414, 415, 429, 500, 503)})
def begin_import(query: ImportQuery) -> Response:
    """Import files in a local run: they become a recording, and a new feed replays it. For the role operator.

    The body is a form (multipart/form-data) with a part named `file` for each file, at most 32 MiB in all.
    """
    identity: Identity = current_app.extensions[IDENTITY]
    request.max_content_length = MAX_IMPORT_BYTES
    answer = json_answer(_imports().begin(request.files.getlist("file"), query.stated(), identity.account()))
    answer.status_code = 202
    return answer


@imports.get("/<import_id>", responses={200: ImportState, **problems(400, 401, 403, 404, 414, 429, 500, 503)})
def import_state(path: ImportPath) -> Response:
    """Tell how far an import is, and at its end what was found. For the role operator."""
    return json_answer(_imports().state(path.import_id))


@imports.delete(
    "/<import_id>", responses={202: ImportState, **problems(400, 401, 403, 404, 414, 429, 500, 503)}
)
def cancel_import(path: ImportPath) -> Response:
    """Cancel an import: its files are removed, and nothing is imported. For the role operator.

    The answer has its present stage. It becomes `cancelled` a moment later. An import that has ended stays as
    it is.
    """
    identity: Identity = current_app.extensions[IDENTITY]
    answer = json_answer(_imports().cancel(path.import_id, identity.account()))
    answer.status_code = 202
    return answer


def _imports() -> Imports:
    found: Imports = current_app.extensions[EXTENSION]
    return found
