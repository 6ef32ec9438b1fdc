"""Every route and who may call it: the one table. A route that is not in it stops the station from starting."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from blemish.service.problems import Problem
from blemish.service.store.store import Store
from blemish.service.store.users import session_user

__all__ = ["ACCESS", "COOKIE", "ROLES", "SCOPES", "Caller", "Needs", "allow", "caller_of"]

COOKIE = "blemish_session"
ROLES = ("viewer", "operator", "engineer")
"""Each may do what those before it may."""
SCOPES = ("inspect", "read", "admin")


class Needs(StrEnum):
    """What a caller needs for a route."""

    NOTHING = "nothing"
    LOGIN = "login"
    """Any user or token."""
    INSPECT = "inspect"
    """An operator, an engineer, or a token with the scope inspect or admin."""
    VIEW = "view"
    """Any user, or a token with the scope read or admin."""
    REVIEW = "review"
    """An operator, an engineer, or a token with the scope admin."""
    TEACH = "teach"
    """An engineer, or a token with the scope admin."""


_ENOUGH: Mapping[Needs, frozenset[str]] = {
    Needs.LOGIN: frozenset({*ROLES, *SCOPES}),
    Needs.INSPECT: frozenset({"operator", "engineer", "inspect", "admin"}),
    Needs.VIEW: frozenset({*ROLES, "read", "admin"}),
    Needs.REVIEW: frozenset({"operator", "engineer", "admin"}),
    Needs.TEACH: frozenset({"engineer", "admin"}),
}

_API = "/api/v1"
ACCESS: Mapping[tuple[str, str], Needs] = {
    ("GET", f"{_API}/live"): Needs.NOTHING,
    ("GET", f"{_API}/ready"): Needs.NOTHING,
    ("GET", f"{_API}/openapi.json"): Needs.NOTHING,
    ("GET", f"{_API}/metrics"): Needs.VIEW,
    ("GET", f"{_API}/events"): Needs.VIEW,
    ("POST", f"{_API}/login"): Needs.NOTHING,
    ("POST", f"{_API}/logout"): Needs.LOGIN,
    ("GET", f"{_API}/me"): Needs.LOGIN,
    ("PATCH", f"{_API}/me"): Needs.LOGIN,
    ("GET", f"{_API}/users"): Needs.TEACH,
    ("POST", f"{_API}/users"): Needs.TEACH,
    ("PATCH", f"{_API}/users/{{user}}"): Needs.TEACH,
    ("DELETE", f"{_API}/users/{{user}}"): Needs.TEACH,
    ("GET", f"{_API}/tokens"): Needs.TEACH,
    ("POST", f"{_API}/tokens"): Needs.TEACH,
    ("DELETE", f"{_API}/tokens/{{token}}"): Needs.TEACH,
    ("GET", f"{_API}/audit"): Needs.TEACH,
    ("GET", f"{_API}/recipes"): Needs.VIEW,
    ("POST", f"{_API}/recipes"): Needs.TEACH,
    ("GET", f"{_API}/recipes/{{recipe}}"): Needs.VIEW,
    ("PATCH", f"{_API}/recipes/{{recipe}}"): Needs.TEACH,
    ("DELETE", f"{_API}/recipes/{{recipe}}"): Needs.TEACH,
    ("POST", f"{_API}/recipes/{{recipe}}/inspections"): Needs.INSPECT,
    ("POST", f"{_API}/recipes/{{recipe}}/inspections:batch"): Needs.INSPECT,
    ("GET", f"{_API}/recipes/{{recipe}}/images"): Needs.VIEW,
    ("POST", f"{_API}/recipes/{{recipe}}/images"): Needs.TEACH,
    ("GET", f"{_API}/recipes/{{recipe}}/images:examine"): Needs.VIEW,
    ("GET", f"{_API}/recipes/{{recipe}}/images/{{sha256}}"): Needs.VIEW,
    ("DELETE", f"{_API}/recipes/{{recipe}}/images/{{sha256}}"): Needs.TEACH,
    ("GET", f"{_API}/recipes/{{recipe}}/golden"): Needs.VIEW,
    ("POST", f"{_API}/recipes/{{recipe}}/golden"): Needs.TEACH,
    ("POST", f"{_API}/recipes/{{recipe}}/golden:run"): Needs.REVIEW,
    ("DELETE", f"{_API}/recipes/{{recipe}}/golden/{{golden}}"): Needs.TEACH,
    ("GET", f"{_API}/recipes/{{recipe}}/versions"): Needs.VIEW,
    ("POST", f"{_API}/recipes/{{recipe}}/versions"): Needs.TEACH,
    ("POST", f"{_API}/recipes/{{recipe}}/versions:upload"): Needs.TEACH,
    ("GET", f"{_API}/recipes/{{recipe}}/versions/{{version}}"): Needs.VIEW,
    ("GET", f"{_API}/recipes/{{recipe}}/versions/{{version}}/model"): Needs.TEACH,
    ("GET", f"{_API}/recipes/{{recipe}}/versions/{{version}}/model.onnx"): Needs.TEACH,
    ("POST", f"{_API}/recipes/{{recipe}}/versions/{{version}}:export"): Needs.TEACH,
    ("POST", f"{_API}/recipes/{{recipe}}/versions/{{version}}:preview"): Needs.TEACH,
    ("POST", f"{_API}/recipes/{{recipe}}:promote"): Needs.TEACH,
    ("POST", f"{_API}/recipes/{{recipe}}:rollback"): Needs.TEACH,
    ("GET", f"{_API}/recipes/{{recipe}}/misses"): Needs.VIEW,
    ("GET", f"{_API}/inspections"): Needs.VIEW,
    ("GET", f"{_API}/inspections:export"): Needs.VIEW,
    ("GET", f"{_API}/inspections:hours"): Needs.VIEW,
    ("GET", f"{_API}/inspections/{{inspection}}"): Needs.VIEW,
    ("GET", f"{_API}/inspections/{{inspection}}/image"): Needs.VIEW,
    ("GET", f"{_API}/inspections/{{inspection}}/overlay"): Needs.VIEW,
    ("GET", f"{_API}/inspections/{{inspection}}/map.png"): Needs.VIEW,
    ("GET", f"{_API}/inspections/{{inspection}}/nearest/{{place}}"): Needs.VIEW,
    ("PUT", f"{_API}/inspections/{{inspection}}/label"): Needs.REVIEW,
    ("DELETE", f"{_API}/inspections/{{inspection}}/label"): Needs.REVIEW,
    ("GET", f"{_API}/inspections/{{inspection}}/labels"): Needs.VIEW,
    ("GET", f"{_API}/jobs"): Needs.VIEW,
    ("GET", f"{_API}/jobs/{{job}}"): Needs.VIEW,
    ("GET", f"{_API}/jobs/{{job}}/events"): Needs.VIEW,
    ("POST", f"{_API}/jobs/{{job}}:cancel"): Needs.TEACH,
    ("POST", f"{_API}/jobs/{{job}}:retry"): Needs.TEACH,
    ("GET", "/v2"): Needs.NOTHING,
    ("GET", "/v2/health/live"): Needs.NOTHING,
    ("GET", "/v2/health/ready"): Needs.NOTHING,
    ("GET", "/v2/models/{recipe}"): Needs.INSPECT,
    ("GET", "/v2/models/{recipe}/ready"): Needs.INSPECT,
    ("GET", "/v2/models/{recipe}/versions/{version}"): Needs.INSPECT,
    ("GET", "/v2/models/{recipe}/versions/{version}/ready"): Needs.INSPECT,
    ("POST", "/v2/models/{recipe}/infer"): Needs.INSPECT,
    ("POST", "/v2/models/{recipe}/versions/{version}/infer"): Needs.INSPECT,
}
"""By method and path; the routes of pages are added by pages/."""


@dataclass(frozen=True)
class Caller:
    """Who calls: a user, or a token."""

    name: str
    grant: str
    """A role or a scope."""
    user: str | None = None
    """The id of a user."""
    lang: str = "en"

    def may(self, needs: Needs) -> bool:
        return needs is Needs.NOTHING or self.grant in _ENOUGH[needs]


def caller_of(store: Store, authorization: str | None, cookie: str | None) -> Caller | None:
    """Who calls, by a token or by the cookie of a session. Raises Problem for a token that is not in force."""
    if authorization is not None:
        kind, _, secret = authorization.partition(" ")
        row = store.tokens.row(store.read, secret.strip()) if kind.lower() == "bearer" else None
        if row is None:
            raise Problem("unauthenticated", "This token is not in force; ask an engineer for a new one.", headers=_ASK)
        return Caller(f"token {row['name']}", row["scope"])
    row = session_user(store.read, cookie) if cookie else None
    return None if row is None else Caller(row["name"], row["role"], row["id"], row["lang"])


def allow(needs: Needs, caller: Caller | None) -> None:
    """Raise Problem where the caller may not do what needs this."""
    if needs is Needs.NOTHING:
        return
    if caller is None:
        raise Problem("unauthenticated", "Log in, or send a token.", headers=_ASK)
    if not caller.may(needs):
        enough = ", ".join(sorted(_ENOUGH[needs]))
        raise Problem("forbidden", f"{caller.name} is {caller.grant}; this needs one of: {enough}.")


_ASK = {"WWW-Authenticate": "Bearer"}
