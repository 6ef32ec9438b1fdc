"""Log in and out; users, tokens, and the audit log."""

from itertools import chain, count
from sqlite3 import Connection
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import SecretStr, StringConstraints

from blemish.service.api.answers import API
from blemish.service.api.depends import At, Who, documented
from blemish.service.api.shapes.asked import Strict
from blemish.service.api.shapes.people import AuditPage, MeOut, SessionOut, TokenMade, TokenOut, UserOut
from blemish.service.people.access import COOKIE
from blemish.service.people.passwords import hashed, is_right
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.audit import list_audit, record
from blemish.service.store.users import (
    SESSION_DAYS,
    add_session,
    add_token,
    add_user,
    change_user,
    end_session,
    find_user,
    list_tokens,
    list_users,
    remove_user,
    revoke_token,
    session_user,
)

__all__ = ["begin_session", "login_once", "login_with_password", "router"]

router = APIRouter(tags=["people"], prefix=API)
UserName = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Role = Literal["viewer", "operator", "engineer"]
Lang = Literal["en", "ja"]


class Login(Strict):
    """Name and password."""

    name: Annotated[str, StringConstraints(max_length=100)]
    password: SecretStr


class UserAdd(Strict):
    """A new user."""

    name: UserName
    role: Role
    password: SecretStr
    lang: Lang = "en"


class UserChange(Strict):
    """What is to be changed of a user."""

    role: Role | None = None
    password: SecretStr | None = None
    lang: Lang | None = None


class OwnChange(Strict):
    """What everybody may change of themselves."""

    password: SecretStr | None = None
    lang: Lang | None = None


class TokenAdd(Strict):
    """A new token."""

    name: UserName
    scope: Literal["inspect", "read", "admin"]


@router.post("/login", response_model=SessionOut, responses=documented("unauthenticated", "too-many-tries"))
def login(asked: Login, request: Request, response: Response, station: At) -> dict[str, Any]:
    """Begin a session: the answer sets a cookie. Programs use tokens instead."""
    address = request.client.host if request.client else "?"
    user = login_with_password(station, asked.name, asked.password.get_secret_value(), address)
    begin_session(station, response, user["id"])
    return {"name": user["name"], "role": user["role"], "lang": user["lang"]}


@router.post("/logout", status_code=204, response_class=Response)
def logout(request: Request, station: At) -> Response:
    """End this session."""
    secret = request.cookies.get(COOKIE, "")
    user = session_user(station.store.read, secret)

    def end(connection: Connection) -> None:
        end_session(connection, secret)
        if user is not None:
            record(connection, user["id"], "logout", user["id"])

    station.store.write(end)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE)
    return response


@router.get("/me", response_model=MeOut)
def me(who: Who) -> dict[str, Any]:
    """Who calls."""
    return {"name": who.name, "grant": who.grant, "user": who.user, "lang": who.lang}


@router.patch("/me", response_model=UserOut, responses=documented("conflict"))
def change_me(asked: OwnChange, station: At, who: Who) -> dict[str, Any]:
    """Change one's own password or language; a new password ends all of one's sessions."""
    if who.user is None:
        raise Problem("conflict", "A token has neither password nor language.")
    return _change(station, who.name, who.user, asked)


@router.get("/users", response_model=list[UserOut])
def users(station: At) -> list[dict[str, Any]]:
    """Everybody who may log in."""
    return list_users(station.store.read)


@router.post("/users", response_model=UserOut, status_code=201, responses=documented("conflict"))
def users_add(asked: UserAdd, station: At, who: Who) -> dict[str, Any]:
    """A new user."""
    password = hashed(asked.password.get_secret_value())
    return station.store.write(
        lambda connection: add_user(
            connection, who.name, name=asked.name, role=asked.role, password=password, lang=asked.lang
        )
    )


@router.patch("/users/{user}", response_model=UserOut, responses=documented("unknown-id", "conflict"))
def users_change(user: str, asked: UserChange, station: At, who: Who) -> dict[str, Any]:
    """Change role, password or language; the first two end the user's sessions."""
    return _change(station, who.name, user, asked)


@router.delete(
    "/users/{user}", status_code=204, response_class=Response, responses=documented("unknown-id", "conflict")
)
def users_remove(user: str, station: At, who: Who) -> None:
    """Remove a user; what they did stays in the audit log."""
    station.store.write(lambda connection: remove_user(connection, who.name, user))


@router.get("/tokens", response_model=list[TokenOut])
def tokens(station: At) -> list[dict[str, Any]]:
    """All tokens, without their secrets."""
    return list_tokens(station.store.read)


@router.post("/tokens", response_model=TokenMade, status_code=201)
def tokens_add(asked: TokenAdd, station: At, who: Who) -> dict[str, Any]:
    """A new token; `secret` is told this once."""
    return station.store.write(lambda connection: add_token(connection, who.name, name=asked.name, scope=asked.scope))


@router.delete("/tokens/{token}", status_code=204, response_class=Response, responses=documented("unknown-id"))
def tokens_revoke(token: str, station: At, who: Who) -> None:
    """End a token, from the next call on."""
    station.store.write(lambda connection: revoke_token(connection, who.name, token))


@router.get("/audit", response_model=AuditPage)
def audit(
    station: At,
    cursor: Annotated[int | None, Query(ge=1, le=1 << 62)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    mentions: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Who changed what, the newest first; `blemish audit verify` checks that nothing was changed afterwards.

    With `mentions`, only rows in which this id or name stands.
    """
    rows = list_audit(station.store.read, cursor, limit, mentions)
    return {"items": rows, "next": rows[-1]["seq"] if len(rows) == limit else None}


def login_with_password(station: Station, name: str, password: str, address: str) -> dict[str, Any]:
    """The user with this name and password. Raises Problem, after too many tries without looking."""
    keys = f"name {name.casefold()}", f"address {address}"
    with station.tries.one_at_a_time:
        station.tries.check(*keys)
        user = find_user(station.store.read, name)
        if is_right(password, user["password"] if user else None) and user is not None:
            return dict(user)
        station.tries.failed(*keys)
    who = f"address {address}"
    station.store.write(lambda connection: record(connection, who, "login.failed", name))
    raise Problem("unauthenticated", "Name or password is wrong.")


def login_once(station: Station, secret: str) -> dict[str, Any]:
    """Log in by the link printed at the start, once, as an engineer. Raises Problem."""
    if not station.use_login_link(secret):
        raise Problem("unauthenticated", "This link was used already; start the station again for a new one.")
    return station.store.write(_engineer)


def _engineer(connection: Connection) -> dict[str, Any]:
    """Whom the login link logs in: the first of engineer, engineer 2, ... who is an engineer, or is not there yet.

    A user of that name may have got another role; a link that made them log in would be no way back in.
    """
    for name in chain(["engineer"], (f"engineer {number}" for number in count(2))):
        user = find_user(connection, name)
        if user is None:
            return add_user(connection, "login link", name=name, role="engineer", password=None)
        if user["role"] == "engineer":
            return dict(user)
    raise AssertionError("numbers do not end")


def begin_session(station: Station, response: Response, user: str) -> None:
    """A new session, whatever cookie came; its secret goes into a cookie that no script can read."""

    def begin(connection: Connection) -> str:
        name = connection.execute("SELECT name FROM user WHERE id = ?", [user]).fetchone()["name"]
        record(connection, name, "login", name)
        return add_session(connection, user)

    secret = station.store.write(begin)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=SESSION_DAYS * 86_400,
        httponly=True,
        samesite="lax",
        secure=station.settings.secure,
    )


def _change(station: Station, who: str, user: str, asked: UserChange | OwnChange) -> dict[str, Any]:
    update = {key: value for key, value in asked.model_dump(exclude_unset=True).items() if value is not None}
    if asked.password is not None:
        update["password"] = hashed(asked.password.get_secret_value())
    return station.store.write(lambda connection: change_user(connection, who, user, update))
