"""Log in, or create an account, and keep the session."""

from __future__ import annotations

from deltastream_cli.adapters.gateway import Gateway
from deltastream_cli.domain.reports import Cell, Fact, Report


def login(gateway: Gateway, email: str, password: str, *, register: bool) -> Report:
    """Store a session for this gateway; later commands use and refresh it. Raises Refused."""
    action = "register" if register else "login"
    session = gateway.log_in(action, {"email": email, "password": password})
    return Report(
        "", [Fact("account", "logged in as", Cell(session.email)), Fact("url", "at", Cell(gateway.url))]
    )
