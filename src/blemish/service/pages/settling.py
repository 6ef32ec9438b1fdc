"""Pages for settings: one's own, users, tokens, and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from blemish.service.api.depends import At, Who
from blemish.service.pages.show import show
from blemish.service.people.access import ROLES, SCOPES, Needs
from blemish.service.store.audit import list_audit
from blemish.service.store.recipes import list_recipes, recipe_of_id
from blemish.service.store.users import list_tokens, list_users
from blemish.service.store.versions import version_of_id

__all__ = ["router"]

router = APIRouter(tags=["page"], default_response_class=HTMLResponse)
PAGE = 100


@router.get("/settings")
def settings(request: Request, station: At, who: Who) -> Response:
    """One's own password and language; users, tokens and how long pictures are kept, for engineers."""
    may = who.may(Needs.TEACH)
    said = {
        "may": may,
        "users": list_users(station.store.read) if may else [],
        "tokens": list_tokens(station.store.read) if may else [],
        "recipes": list_recipes(station.store.read) if may else [],
        "roles": ROLES,
        "scopes": SCOPES,
    }
    return show(request, "settings", said)


@router.get("/settings/audit")
def audit(
    request: Request,
    station: At,
    cursor: Annotated[int | None, Query(ge=1, le=1 << 62)] = None,
    version: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Who changed what, the newest first; of one version, where its id is given."""
    rows = list_audit(station.store.read, cursor, PAGE, version or None)
    made = version_of_id(station.store.read, version) if version else None
    said = {
        "rows": rows,
        "next": rows[-1]["seq"] if len(rows) == PAGE else None,
        "version": version,
        "about": made and {"recipe": recipe_of_id(station.store.read, made.recipe), "number": made.number},
    }
    return show(request, "audit", said)
