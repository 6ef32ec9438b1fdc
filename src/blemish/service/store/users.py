"""People with their sessions, and the tokens of machines: of secrets, only a hash is kept."""

import hashlib
import secrets
import sqlite3
from typing import Any

from blemish.service.clock import later, new_id, now
from blemish.service.problems import Problem
from blemish.service.store import audit

__all__ = [
    "add_session",
    "add_token",
    "add_user",
    "change_user",
    "digest",
    "end_session",
    "find_user",
    "list_tokens",
    "list_users",
    "remove_user",
    "revoke_token",
    "session_user",
    "someone_can_log_in",
    "token_row",
]

SESSION_DAYS = 30
SHOWN = "id, name, role, lang, at, password IS NOT NULL AS has_password"


def list_users(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Everybody, without passwords."""
    rows = connection.execute(f"SELECT {SHOWN} FROM user ORDER BY name COLLATE NOCASE")
    return [dict(row) | {"has_password": bool(row["has_password"])} for row in rows]


def find_user(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """A user with the hash of their password."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM user WHERE name = ?", [name]).fetchone()
    return row


def add_user(
    connection: sqlite3.Connection, who: str, *, name: str, role: str, password: str | None, lang: str = "en"
) -> dict[str, Any]:
    """A new user; `password` is its hash. Raises Problem where the name is taken."""
    try:
        connection.execute("INSERT INTO user VALUES (?, ?, ?, ?, ?, ?)", [new_id(), name, role, password, lang, now()])
    except sqlite3.IntegrityError:
        raise Problem("conflict", f"There is a user {name!r} already.") from None
    audit.record(connection, who, "user.add", name, after={"role": role})
    return next(user for user in list_users(connection) if user["name"] == name)


def change_user(connection: sqlite3.Connection, who: str, id: str, update: dict[str, Any]) -> dict[str, Any]:
    """Change role, language or password (its hash), which ends their sessions. Raises Problem where there is none."""
    user = _user(connection, id)
    if update.get("role", "engineer") != "engineer":
        _keep_an_engineer(connection, user)
    for column in ("role", "lang", "password"):
        if column in update:
            connection.execute(f"UPDATE user SET {column} = ? WHERE id = ?", [update[column], id])
    if update.keys() & {"role", "password"}:
        connection.execute("DELETE FROM session WHERE user = ?", [id])
    said = {name: "changed" if name == "password" else value for name, value in update.items()}
    audit.record(connection, who, "user.change", user["name"], before={"role": user["role"]}, after=said)
    return next(each for each in list_users(connection) if each["id"] == id)


def remove_user(connection: sqlite3.Connection, who: str, id: str) -> None:
    """Remove a user and their sessions. Raises Problem where there is none, or where no engineer would be left."""
    user = _user(connection, id)
    _keep_an_engineer(connection, user)
    connection.execute("DELETE FROM session WHERE user = ?", [id])
    connection.execute("DELETE FROM user WHERE id = ?", [id])
    audit.record(connection, who, "user.remove", user["name"], before={"role": user["role"]})


def someone_can_log_in(connection: sqlite3.Connection) -> bool:
    """Whether an engineer has a password."""
    rows = connection.execute("SELECT 1 FROM user WHERE role = 'engineer' AND password IS NOT NULL LIMIT 1")
    return rows.fetchone() is not None


def add_session(connection: sqlite3.Connection, user_id: str) -> str:
    """A new session; the secret for the cookie."""
    secret = secrets.token_urlsafe(32)
    connection.execute("DELETE FROM session WHERE expires < ?", [now()])
    connection.execute(
        "INSERT INTO session VALUES (?, ?, ?, ?)", [digest(secret), user_id, now(), later(SESSION_DAYS * 86_400)]
    )
    return secret


def session_user(connection: sqlite3.Connection, secret: str) -> sqlite3.Row | None:
    """Whose session this is; None where it has ended."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT user.* FROM session JOIN user ON user.id = session.user WHERE sha256 = ? AND expires > ?",
        [digest(secret), now()],
    ).fetchone()
    return row


def end_session(connection: sqlite3.Connection, secret: str) -> None:
    """Log out."""
    connection.execute("DELETE FROM session WHERE sha256 = ?", [digest(secret)])


def list_tokens(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """All tokens, without their secrets."""
    return [dict(row) for row in connection.execute("SELECT id, name, scope, by, at, revoked FROM token ORDER BY id")]


def add_token(connection: sqlite3.Connection, who: str, *, name: str, scope: str) -> dict[str, Any]:
    """A new token; its secret is told this once."""
    secret, id = f"blemish_{secrets.token_urlsafe(32)}", new_id()
    connection.execute(
        "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, NULL)", [id, name, digest(secret), scope, who, now()]
    )
    audit.record(connection, who, "token.add", name, after={"scope": scope})
    return next(each for each in list_tokens(connection) if each["id"] == id) | {"secret": secret}


def revoke_token(connection: sqlite3.Connection, who: str, id: str) -> None:
    """End a token. Raises Problem where there is none."""
    row = connection.execute("SELECT name FROM token WHERE id = ? AND revoked IS NULL", [id]).fetchone()
    if row is None:
        raise Problem("unknown-id", f"There is no token {id!r} in force.")
    connection.execute("UPDATE token SET revoked = ? WHERE id = ?", [now(), id])
    audit.record(connection, who, "token.revoke", row["name"])


def token_row(connection: sqlite3.Connection, sha256: str) -> sqlite3.Row | None:
    """The token whose secret has this digest; None where there is none in force."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT name, scope FROM token WHERE sha256 = ? AND revoked IS NULL", [sha256]
    ).fetchone()
    return row


def _user(connection: sqlite3.Connection, id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM user WHERE id = ?", [id]).fetchone()
    if row is None:
        raise Problem("unknown-id", f"There is no user {id!r}.")
    return row


def _keep_an_engineer(connection: sqlite3.Connection, user: sqlite3.Row) -> None:
    others = connection.execute("SELECT 1 FROM user WHERE role = 'engineer' AND id <> ?", [user["id"]]).fetchone()
    if user["role"] == "engineer" and others is None:
        raise Problem("conflict", f"{user['name']} is the only engineer; make another one first.")


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
