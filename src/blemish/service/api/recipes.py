"""Recipes: list, add, change, put away; which version is on line."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import ValidationError

from blemish.service.api.answers import API, recipe_answer, version_answer
from blemish.service.api.depends import At, Who, documented
from blemish.service.api.shapes.asked import PromoteAsk, RecipeAdd, RecipeChange, RollbackAsk
from blemish.service.api.shapes.recipes import Misses, RecipeOut, VersionOut
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.labels import misses
from blemish.service.store.recipes import Recipe, RecipeSettings, add_recipe, change_recipe, find_recipe, list_recipes
from blemish.service.store.versions import find_version, previous_version
from blemish.service.work.fit_options import check_settings

__all__ = ["router"]

router = APIRouter(tags=["recipes"], prefix=API)
IfMatch = Annotated[str | None, Header(max_length=100)]


@router.get("/recipes", response_model=list[RecipeOut])
def list_all(station: At, archived: bool = False) -> list[dict[str, Any]]:
    """All recipes, by name."""
    return [recipe_answer(station, recipe) for recipe in list_recipes(station.store.read, archived=archived)]


@router.post("/recipes", response_model=RecipeOut, status_code=201, responses=documented("conflict"))
def add(asked: RecipeAdd, station: At, who: Who, response: Response) -> dict[str, Any]:
    """A new recipe; teach it next: POST its good pictures to /recipes/NAME/images."""
    check_settings(asked.settings)
    recipe = station.store.write(
        lambda connection: add_recipe(
            connection,
            who.name,
            name=asked.name,
            title=asked.title or asked.name,
            number=asked.number,
            settings=asked.settings,
        )
    )
    return _changed(station, recipe, response)


@router.get("/recipes/{recipe}", response_model=RecipeOut, responses=documented("unknown-recipe"))
def one(recipe: str, station: At, response: Response) -> dict[str, Any]:
    """A recipe; its ETag is what a change needs as If-Match."""
    return _told(station, find_recipe(station.store.read, recipe), response)


@router.patch(
    "/recipes/{recipe}",
    response_model=RecipeOut,
    responses=documented("unknown-recipe", "conflict", "stale-edit", "no-if-match"),
)
def change(
    recipe: str, asked: RecipeChange, station: At, who: Who, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Change what is named; If-Match keeps two engineers from undoing each other's work."""
    return _change(station, who.name, recipe, if_match, asked.model_dump(exclude_unset=True), response)


@router.delete(
    "/recipes/{recipe}",
    response_model=RecipeOut,
    responses=documented("unknown-recipe", "stale-edit", "no-if-match"),
)
def archive(recipe: str, station: At, who: Who, response: Response, if_match: IfMatch = None) -> dict[str, Any]:
    """Put a recipe away: it judges no more. Its versions and its history stay; PATCH state=open takes it back.

    What is sent to it is answered with `not-on-line`, whichever version is named; parts in work are judged still.
    """
    return _change(station, who.name, recipe, if_match, {"state": "archived"}, response)


@router.post(
    "/recipes/{recipe}:promote",
    response_model=VersionOut,
    responses=documented("unknown-recipe", "unknown-id", "golden-failed", "not-ready"),
)
def promote(recipe: str, asked: PromoteAsk, station: At, who: Who) -> dict[str, Any]:
    """Put a version on line, after it has judged the golden pictures; parts in work are not disturbed."""
    found = find_recipe(station.store.read, recipe)
    version = find_version(station.store.read, found, asked.version)
    station.promote(who.name, found, version, asked.reason, force=asked.force)
    return version_answer(find_recipe(station.store.read, recipe), version)


@router.post(
    "/recipes/{recipe}:rollback",
    response_model=VersionOut,
    responses=documented("unknown-recipe", "conflict", "not-ready"),
)
def rollback(recipe: str, asked: RollbackAsk, station: At, who: Who) -> dict[str, Any]:
    """Back to the version that was on line before."""
    found = find_recipe(station.store.read, recipe)
    version = previous_version(station.store.read, found)
    if version is None:
        raise Problem("conflict", f"No other version of {found.name} was on line before.")
    station.promote(who.name, found, version, asked.reason or "rolled back", force=True)
    return version_answer(find_recipe(station.store.read, recipe), version)


@router.get("/recipes/{recipe}/misses", response_model=Misses, responses=documented("unknown-recipe"))
def missed(recipe: str, station: At) -> dict[str, int]:
    """Of the parts that people called really bad: how many there are, and how many had been let through."""
    return misses(station.store.read, find_recipe(station.store.read, recipe).id)


def _change(
    station: Station, who: str, name: str, etag: str | None, update: dict[str, Any], response: Response
) -> dict[str, Any]:
    update = {key: value for key, value in update.items() if value is not None or key == "number"}
    try:
        check_settings(RecipeSettings.model_validate(update.get("settings", {})))
        recipe = station.store.write(lambda connection: change_recipe(connection, who, name, etag, update))
    except ValidationError as error:
        errors = [
            {"pointer": "/settings/" + "/".join(map(str, each["loc"])), "detail": each["msg"]}
            for each in error.errors()
        ]
        raise Problem("invalid", "A setting cannot be used.", errors=errors) from None
    station.refresh(recipe)
    return _changed(station, recipe, response)


def _changed(station: Station, recipe: Recipe, response: Response) -> dict[str, Any]:
    """The answer to a change, of which screens are told: a tile comes or goes."""
    station.events.tell("recipe", {"recipe": recipe.name, "state": recipe.state})
    return _told(station, recipe, response)


def _told(station: Station, recipe: Recipe, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = recipe.etag
    return recipe_answer(station, recipe)
