"""All pages, and what each needs."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter

from blemish.service.pages import entering, looking, problems, settling, teaching, versions
from blemish.service.pages.problems import problem_page
from blemish.service.pages.show import STATIC
from blemish.service.people.access import Needs

__all__ = ["ACCESS", "ROUTERS", "STATIC", "problem_page"]

ROUTERS: Sequence[APIRouter] = [room.router for room in (entering, looking, teaching, versions, settling, problems)]

ACCESS: Mapping[tuple[str, str], Needs] = {
    ("GET", "/login"): Needs.NOTHING,
    ("POST", "/login"): Needs.NOTHING,
    ("GET", "/login/once"): Needs.NOTHING,
    ("GET", "/errors/{name}"): Needs.NOTHING,
    ("GET", "/"): Needs.VIEW,
    ("GET", "/line"): Needs.VIEW,
    ("GET", "/review"): Needs.REVIEW,
    ("GET", "/history"): Needs.VIEW,
    ("GET", "/results/{inspection}"): Needs.VIEW,
    ("GET", "/recipes"): Needs.VIEW,
    ("GET", "/recipes/{recipe}/teach"): Needs.TEACH,
    ("GET", "/recipes/{recipe}/correct"): Needs.REVIEW,
    ("GET", "/recipes/{recipe}/versions"): Needs.VIEW,
    ("GET", "/recipes/{recipe}/compare"): Needs.VIEW,
    ("GET", "/recipes/{recipe}/versions/{version}"): Needs.VIEW,
    ("GET", "/settings"): Needs.LOGIN,
    ("GET", "/settings/audit"): Needs.TEACH,
    ("GET", "/sentence"): Needs.LOGIN,
}
"""What each page needs; a page that is not here stops the station from starting."""
