"""Request models: the JSON bodies that callers may send, and the rules for emails and names."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Deliberately simple: only a message can prove that an address exists. Length is limited before matching, and
# matching takes linear time.
_LOCAL = r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}"
_DOMAIN = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_ASCII_EMAIL = re.compile(f"{_LOCAL}@{_DOMAIN}", re.ASCII)
_EMAIL = re.compile(rf"[^\s@\x00-\x1f\x7f]{{1,64}}@{_DOMAIN}", re.ASCII)
# Characters that are invisible, although Unicode classifies them as letters, marks or symbols.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def normalised_email(value: str) -> str:
    """Return an email address in the form in which it is stored and compared."""
    return unicodedata.normalize("NFKC", value).strip().lower()


def _is_visible(value: str) -> bool:
    """Return whether every character is visible or a plain space, without control or direction characters."""
    kinds = (unicodedata.category(char) for char in value if char != " ")
    return not _BLANK.search(value) and not any(kind[0] in "CZ" for kind in kinds)


def _email(value: str) -> str:
    address = normalised_email(value)
    domain = address.rpartition("@")[2]
    if len(address) > 254 or not _EMAIL.fullmatch(address) or ".." in domain:
        raise ValueError("must be an email address of at most 254 characters")
    return address


def _new_email(value: str) -> str:
    """Allow only ASCII in new addresses: letters of other scripts can look the same."""
    address = value.strip(" ").lower()
    local, _, domain = address.rpartition("@")
    if len(address) > 254 or not value.isascii() or not _ASCII_EMAIL.fullmatch(address):
        raise ValueError("must be an email address of at most 254 ASCII characters")
    if ".." in address or local.startswith(".") or local.endswith(".") or ".-" in domain or "-." in domain:
        raise ValueError("must be an email address of at most 254 ASCII characters")
    return address


def _name(value: str) -> str:
    name = unicodedata.normalize("NFC", value).strip(" ")
    if not _is_visible(name):
        raise ValueError("must not contain control, invisible or direction characters")
    if unicodedata.normalize("NFKC", name) != name:
        raise ValueError("must use plain letters, not fullwidth, ligature or styled forms (Unicode NFKC)")
    return name


NewEmail = Annotated[str, Field(max_length=254), AfterValidator(_new_email)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
# Limits the length before normalisation. The rules for new passwords are in accounts.py.
Password = Annotated[str, Field(min_length=1, max_length=512)]
Opaque = Annotated[str, Field(min_length=1, max_length=256)]


class Body(BaseModel):
    """A JSON object. Unknown members are ignored, as in the original. Errors contain no values."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class Register(Body):
    email: NewEmail
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
