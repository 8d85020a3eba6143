"""What callers may send."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Deliberately simple: only a message proves an address. Bounded before it is matched, and linear.
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def lowered(value: str) -> str:
    """An address as it is stored and compared."""
    return unicodedata.normalize("NFKC", value).strip().lower()


def _email(value: str) -> str:
    address = lowered(value)
    domain = address.rpartition("@")[2]
    if len(address) > 254 or not _EMAIL.fullmatch(address) or ".." in domain:
        raise ValueError("must be an email address of at most 254 characters")
    return address


def _name(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must not hold control characters")
    return value.strip()


Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
# Bounded before it is normalised; the rules of new passwords are in accounts.py.
Password = Annotated[str, Field(min_length=1, max_length=512)]
Opaque = Annotated[str, Field(min_length=1, max_length=256)]


class Body(BaseModel):
    """A JSON object; members that are not known are ignored, as the original did. No value in errors."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class Register(Body):
    email: Email
    password: Password
    name: Annotated[str, Field(max_length=100), AfterValidator(_name)] = ""


class Login(Body):
    email: Email
    password: Password


class Refresh(Body):
    refresh_token: Opaque


class ClientCredentials(Body):
    grant_type: Literal["client_credentials"]
    client_id: Annotated[str, Field(max_length=64)]
    client_secret: Opaque
    audience: Literal["storage", "analytics", "logging"]
