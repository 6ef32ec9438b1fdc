"""Training pictures and golden pictures of a recipe."""

from sqlite3 import Connection
from typing import Any

from fastapi import APIRouter, Response, UploadFile

from blemish.errors import ImageError
from blemish.images.glance import read_glance
from blemish.service.api.answers import API
from blemish.service.api.depends import At, Who, documented
from blemish.service.api.history import written
from blemish.service.api.shapes.asked import GoldenAdd
from blemish.service.api.shapes.pictures import FindingOut, GoldenJudged, GoldenOut, SentOut, TrainingOut
from blemish.service.api.shown import picture_answer
from blemish.service.people.access import Caller
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.inspections import find_inspection
from blemish.service.store.pictures import MEDIA, list_picture
from blemish.service.store.recipes import Recipe, find_recipe
from blemish.service.store.training import (
    Golden,
    Training,
    add_golden,
    add_training,
    list_golden,
    list_training,
    remove_golden,
    remove_training,
)
from blemish.service.work.examine import examine
from blemish.service.work.golden import run_golden

__all__ = ["router"]

router = APIRouter(tags=["pictures"], prefix=API)


@router.get("/recipes/{recipe}/images", response_model=list[TrainingOut], responses=documented("unknown-recipe"))
def list_all(recipe: str, station: At) -> list[dict[str, Any]]:
    """The good pictures that the next fit learns from, as they came."""
    return [vars(each) for each in list_training(station.store.read, find_recipe(station.store.read, recipe).id)]


@router.post(
    "/recipes/{recipe}/images", response_model=list[SentOut], responses=documented("unknown-recipe", "disk-full")
)
def add(recipe: str, images: list[UploadFile], station: At, who: Who, part: str | None = None) -> list[dict[str, Any]]:
    """Add good pictures (multipart, each as a file named `images`); answers what became of each, in order.

    A picture that cannot be read is refused by name, and the rest is added. One that the recipe has is `known`: a
    call that broke off can simply be repeated.
    """
    found = find_recipe(station.store.read, recipe)
    return [_add(station, who, found, _name(each), each.file.read(), part) for each in images]


@router.get("/recipes/{recipe}/images:examine", response_model=list[FindingOut], responses=documented("unknown-recipe"))
def examined(recipe: str, station: At) -> list[dict[str, Any]]:
    """What the doctor says of the training pictures: each finding with the pictures it is about."""
    return examine(station.store, find_recipe(station.store.read, recipe).id)


@router.get(
    "/recipes/{recipe}/images/{sha256}",
    response_class=Response,
    responses={
        200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA.values()}},
        **documented("unknown-recipe", "unknown-id", "expired"),
    },
)
def one(recipe: str, sha256: str, station: At, shown: bool = False) -> Response:
    """A training or golden picture as it came; with `shown`, as a JPEG where it came in a form no browser shows."""
    id = find_recipe(station.store.read, recipe).id
    both: list[Training | Golden] = [*list_training(station.store.read, id), *list_golden(station.store.read, id)]
    found = next((each for each in both if each.sha256 == sha256), None)
    if found is None:
        raise Problem("unknown-id", f"{recipe} has no picture {sha256!r}.")
    data = station.store.pictures.get(found.sha256, found.suffix)
    if data is None:
        raise Problem("expired", f"The file of {found.name} is missing.")
    return picture_answer(data, found.suffix, found.sha256, shown=shown)


@router.delete(
    "/recipes/{recipe}/images/{sha256}",
    status_code=204,
    response_class=Response,
    responses=documented("unknown-recipe", "unknown-id"),
)
def remove(recipe: str, sha256: str, station: At, who: Who) -> None:
    """Take a picture out of the next fit; versions that have learnt from it stay as they are."""
    found = find_recipe(station.store.read, recipe)
    station.store.write(lambda connection: remove_training(connection, who.name, found, sha256))


@router.get("/recipes/{recipe}/golden", response_model=list[GoldenOut], responses=documented("unknown-recipe"))
def golden(recipe: str, station: At) -> list[dict[str, Any]]:
    """The golden pictures, with what is expected of each."""
    return [vars(each) for each in list_golden(station.store.read, find_recipe(station.store.read, recipe).id)]


@router.post(
    "/recipes/{recipe}/golden",
    response_model=list[GoldenOut],
    status_code=201,
    responses=documented("unknown-recipe", "unknown-id", "expired"),
)
def golden_add(recipe: str, asked: GoldenAdd, station: At, who: Who) -> list[dict[str, Any]]:
    """Make the picture of an inspection a golden one."""
    found = find_recipe(station.store.read, recipe)
    row = find_inspection(station.store.read, asked.inspection)
    if row.recipe != found.id:
        raise Problem("unknown-id", f"{recipe} has no inspection {asked.inspection!r}.")
    row = written(station, row)
    listed = station.store.read.execute("SELECT 1 FROM picture WHERE sha256 = ?", [row.image_sha]).fetchone()
    if listed is None:
        raise Problem("expired", f"The picture of {row.id} is not there ({row.image_state}).")
    station.store.write(
        lambda connection: add_golden(
            connection, who.name, found, sha256=row.image_sha, name=row.name, expected=asked.expected
        )
    )
    return golden(recipe, station)


@router.post(
    "/recipes/{recipe}/golden:run",
    response_model=list[GoldenJudged],
    responses=documented("unknown-recipe", "not-on-line", "not-ready"),
)
def golden_run(recipe: str, station: At) -> list[dict[str, Any]]:
    """Let the version on line judge the golden pictures."""
    served = station.registry.take(recipe)
    answers = run_golden(station.store, served.recipe.id, served.detector)
    return [
        vars(each.golden) | {"verdict": each.verdict, "score": each.score, "error": each.error, "right": each.right}
        for each in answers
    ]


@router.delete(
    "/recipes/{recipe}/golden/{golden}",
    status_code=204,
    response_class=Response,
    responses=documented("unknown-recipe", "unknown-id"),
)
def golden_remove(recipe: str, golden: str, station: At, who: Who) -> None:
    """Make a golden picture an ordinary one again."""
    found = find_recipe(station.store.read, recipe)
    station.store.write(lambda connection: remove_golden(connection, who.name, found, golden))


def _add(station: Station, who: Caller, recipe: Recipe, name: str, data: bytes, part: str | None) -> dict[str, Any]:
    seen = read_glance((name, data), prints=False)
    if isinstance(seen, ImageError):
        return {"name": name, "state": "refused", "sha256": None, "error": str(seen)}
    facts = {each: getattr(seen, each) for each in ("height", "width", "pixels", "coloured", "stops", "clipped")}

    def listed(connection: Connection) -> bool:
        list_picture(connection, sha256, suffix, len(data))
        return add_training(connection, who.name, recipe, sha256=sha256, name=name, part=part, facts=facts)

    try:
        with station.store.pictures.lock:
            sha256, suffix = station.store.pictures.put(data)
            new = station.store.write(listed)
    except OSError as error:
        raise Problem("disk-full", f"{name} could not be written: {error.strerror or error}.") from None
    return {"name": name, "state": "added" if new else "known", "sha256": sha256, "error": None, "facts": facts}


def _name(sent: UploadFile) -> str:
    """The name of a file as text: it is never used as a path."""
    return "".join(c for c in (sent.filename or "picture") if c.isprintable())[:200] or "picture"
