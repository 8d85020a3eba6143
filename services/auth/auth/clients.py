"""Service clients: services that may get their own tokens (OAuth 2 client credentials)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from auth.errors import AudienceRefused, BadClient

Audience = Literal["storage", "analytics", "logging"]


class Client(BaseModel):
    """One entry of SERVICE_CLIENTS."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    secret: str = Field(min_length=16, max_length=256, repr=False)
    audiences: list[Audience] = Field(min_length=1)


ClientId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]


class Clients:
    """The service clients. Secrets are compared in constant time, also for unknown clients."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._clients = {
            name: (_digest(client.secret), frozenset(client.audiences)) for name, client in clients.items()
        }
        self._unknown_client = (_digest(secrets.token_urlsafe(32)), frozenset[Audience]())

    def admit(self, client_id: str, secret: str, audience: Audience) -> str:
        """Check the credentials and return the subject for the token. Raises BadClient or AudienceRefused."""
        expected, audiences = self._clients.get(client_id, self._unknown_client)
        if not hmac.compare_digest(expected, _digest(secret)):
            raise BadClient("client_id or client_secret is wrong")
        if audience not in audiences:
            raise AudienceRefused("this client may not call that service")
        return f"service:{client_id}"

    def key(self, client_id: str) -> bytes:
        """Return the key with which a client signs, or a random key for an unknown client."""
        return self._clients.get(client_id, self._unknown_client)[0]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
