"""The HTTP routes of auth: each validates its body, calls the domain objects and builds the response."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import Flask, Response, jsonify, request

from auth import metrics, models
from auth.accounts import Accounts, User
from auth.clients import Clients
from auth.devices import Devices
from auth.errors import BadCredentials, BadToken, NotJson
from auth.keys import USER_AUDIENCE, KeyRing
from auth.limits import Limits, address
from auth.sessions import Sessions

BodyT = TypeVar("BodyT", bound=models.Body)


@dataclass(frozen=True)
class Routes:
    """The views and the objects that they use."""

    accounts: Accounts
    sessions: Sessions
    clients: Clients
    keys: KeyRing
    devices: Devices

    def install(self, app: Flask, limits: Limits) -> None:
        for name, view in (
            ("register", self.register),
            ("login", self.login),
            ("refresh", self.refresh),
            ("token", self.token),
        ):
            app.add_url_rule(f"/{name}", name, limits.limited(name, _plain(view)), methods=["POST"])
        app.add_url_rule("/verify", "verify", self.verify, methods=["POST"])
        app.add_url_rule("/logout", "logout", self.logout, methods=["POST"])
        app.add_url_rule("/.well-known/jwks.json", "jwks", self.jwks, methods=["GET"])

    def register(self) -> Any:
        """Create an account and log in. The response contains the original's fields and more."""
        given = _body(models.Register)
        user = self.accounts.register(given.email, given.password, given.name)
        self.devices.remember(given.email, address())
        session = self._session(user, self.sessions.begin(user.id))
        return {"message": "User registered successfully", "user_id": user.id, **session}, 201

    def login(self) -> Any:
        """Exchange email and password for tokens."""
        given = _body(models.Login)
        try:
            user = self.accounts.log_in(given.email, given.password)
        except BadCredentials:
            metrics.LOGINS.labels("refused").inc()
            raise
        metrics.LOGINS.labels("ok").inc()
        self.devices.remember(given.email, address())
        return self._session(user, self.sessions.begin(user.id))

    def refresh(self) -> Any:
        """Exchange a refresh token for the next pair of tokens. The given token cannot be used again."""
        user_id, following = self.sessions.rotate(_body(models.Refresh).refresh_token)
        user = self.accounts.by_id(user_id)
        if user is None:  # the account was deleted, its tokens were not
            self.sessions.end(following)
            raise BadToken("the refresh token is not valid: log in again")
        return self._session(user, following)

    def logout(self) -> Any:
        """End the login. Idempotent."""
        self.sessions.end(_body(models.Refresh).refresh_token)
        return Response(status=204)

    def verify(self) -> Any:
        """Return the user id and email of the bearer token. Raises BadToken."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self.keys.verify(token.strip()) if scheme.lower() == "bearer" else None
        if claims is None:
            raise BadToken("a valid bearer token is needed: Authorization: Bearer <token>", valid=False)
        return {"valid": True, "user_id": claims["sub"], "email": claims.get("email")}

    def token(self) -> Any:
        """Issue a service client's token for one other service."""
        given = _body(models.ClientCredentials)
        subject = self.clients.admit(given.client_id, given.client_secret, given.audience)
        made, _ = self.keys.issue(subject, given.audience)
        return {"access_token": made, "token_type": "Bearer", "expires_in": self.keys.lifetime_s}

    def jwks(self) -> Any:
        """Return the public keys that verify tokens."""
        answer = jsonify(self.keys.jwks())
        answer.headers["Cache-Control"] = "public, max-age=300"
        return answer

    def _session(self, user: User, refresh_token: str) -> dict[str, Any]:
        roles = self.accounts.roles(user.id)
        claims = {"roles": roles} if roles else {}
        access, expires = self.keys.issue(user.id, USER_AUDIENCE, email=user.email, **claims)
        return {
            "token": access,  # the name in the original
            "access_token": access,
            "token_type": "Bearer",
            "refresh_token": refresh_token,
            "expires_in": self.keys.lifetime_s,
            "expires_at": datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z"),
            "user": {**user.shown(), "roles": roles},
        }


def _plain(method: Any) -> Any:
    """Wrap a method in a function: flask-limiter sets attributes on it and names limits after it."""

    def view() -> Any:
        return method()

    view.__name__ = view.__qualname__ = method.__name__
    return view


def _body(model: type[BodyT]) -> BodyT:
    """Return the validated body. Raises NotJson or pydantic's ValidationError."""
    if not request.is_json:
        raise NotJson("the body must be JSON: Content-Type: application/json")
    return model.model_validate_json(request.get_data())
