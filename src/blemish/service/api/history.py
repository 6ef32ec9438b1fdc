"""Past verdicts: search, one by one, their pictures, what people said of them, and export."""

import csv
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from blemish.arrays import Array, Floats
from blemish.detector import Detector
from blemish.errors import ImageError
from blemish.result import Result
from blemish.service.api.answers import API, Named
from blemish.service.api.depends import At, Who, documented
from blemish.service.api.shapes.asked import LabelPut
from blemish.service.api.shapes.parts import HourOut, InspectionOut, LabelOut, Page
from blemish.service.api.shown import picture_answer
from blemish.service.clock import later, moment
from blemish.service.problems import Problem
from blemish.service.station import Station
from blemish.service.store.history import Filter, count_hours, each_inspection, list_inspections
from blemish.service.store.inspections import Inspection, find_inspection
from blemish.service.store.labels import label_inspection, list_labels
from blemish.service.store.pictures import MEDIA
from blemish.service.store.recipes import find_recipe, recipe_of_id
from blemish.service.store.versions import find_version, version_of_id
from blemish.system.cells import quoted

__all__ = ["json_lines", "router", "written"]

router = APIRouter(tags=["history"], prefix=API)
Verdict = Literal["OK", "NG", "REVIEW", "ERROR"]
Label = Literal["good", "bad", "unsure", "any", "none"]
Kind = Literal["line", "api", "v2", "batch", "try"]
Time = Annotated[str | None, AfterValidator(lambda value: None if value is None else moment(value)), Query()]
Short = Annotated[str | None, Query(max_length=200)]
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA.values()}},
    **documented("unknown-id", "expired", "conflict", "not-ready"),
}
MIDDLE, A_DEVIATION = 32_768, 4_096
"""Of 16 bits: where regions begin in a map, and one deviation of joined looks."""
FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson", "parquet": "application/octet-stream"}
"""What an export is sent as."""
AT_ONCE = 200
"""Rows of JSON Lines that are sent together."""
WRITTEN_WITHIN = 5.0
"""Seconds that who asks for a picture waits for it to be written."""
EXPORTED = [
    "id",
    "at",
    "recipe",
    "version_number",
    "verdict",
    "score",
    "threshold",
    "times_threshold",
    "percentile",
    "serial",
    "group",
    "trigger",
    "name",
    "late",
    "error",
    "note",
    "label",
    "source",
    "model_sha256",
    "image_sha256",
    "kind",
]


def wanted_rows(
    station: At,
    recipe: Short = None,
    verdict: Verdict | None = None,
    since: Time = None,
    until: Time = None,
    serial: Short = None,
    version: Short = None,
    label: Label | None = None,
    min_score: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    kind: Kind | None = None,
) -> Filter:
    """What a search asks for. `version` is an id; or a number, where a recipe is named."""
    found = find_recipe(station.store.read, recipe) if recipe is not None else None
    if version is not None and found is not None:
        version = find_version(station.store.read, found, version).id
    elif version is not None and version.isdigit():
        said = f"version={version} is a number, which every recipe has; name the recipe as well, or give an id."
        raise Problem("invalid", said, errors=[{"pointer": "/query/version", "detail": said}])
    return Filter(found.id if found else None, verdict, since, until, serial, version, label, min_score, kind=kind)


Wanted = Annotated[Filter, Depends(wanted_rows)]


@router.get("/inspections", response_model=Page, responses=documented("unknown-recipe", "unknown-id"))
def search(
    station: At,
    wanted: Wanted,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,18}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """Past verdicts, the newest first; `next` is the cursor of the next page.

    `version` is the id of a version; with `recipe` it may be its number. `kind` is api, v2, batch or try; or line, for
    api and v2: what machines sent one by one.
    """
    before = int(cursor) if cursor is not None else None
    rows = list_inspections(station.store.read, replace(wanted, before=before), limit)
    named = Named(station)
    following = str(rows[-1].seq) if len(rows) == limit else None
    return {"items": [named.inspection(row) for row in rows], "next": following}


@router.get("/inspections:hours", response_model=list[HourOut], responses=documented("unknown-recipe"))
def hours(
    station: At, recipe: Short = None, since: Time = None, until: Time = None, kind: Kind | None = None
) -> list[dict[str, Any]]:
    """How many parts had each verdict, hour by hour; the last day where nothing is said.

    All kinds count where none is named, batches and try-outs too; kind=line is what the page Line counts.
    """
    id = find_recipe(station.store.read, recipe).id if recipe is not None else None
    return count_hours(station.store.read, id, since or later(-86_400), until or later(0), kind)


@router.get(
    "/inspections:export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "All rows that the filter lets through.",
            "content": {key: {} for key in FORMATS.values()},
        },
        **documented("unknown-recipe", "unknown-id", "wrong-media"),
    },
)
def export(station: At, wanted: Wanted, format: Literal["csv", "jsonl", "parquet"] = "csv") -> StreamingResponse:
    """All rows that the filter lets through, the newest first, as a stream. Parquet needs pyarrow."""
    if format == "parquet":
        from blemish.service.api.parquet import parquet

        content: Iterator[bytes] = parquet(_plain(station, wanted), EXPORTED)
    else:
        content = _csv(station, wanted) if format == "csv" else json_lines(station, wanted)
    headers = {"Content-Disposition": f'attachment; filename="inspections.{format}"'}
    return StreamingResponse(content, media_type=FORMATS[format], headers=headers)


@router.get("/inspections/{inspection}", response_model=InspectionOut, responses=documented("unknown-id"))
def one(inspection: str, station: At) -> dict[str, Any]:
    """One verdict, whole."""
    return Named(station).inspection(find_inspection(station.store.read, inspection), detail="full")


@router.get("/inspections/{inspection}/image", response_class=Response, responses=_PICTURE)
def image(inspection: str, station: At, shown: bool = False) -> Response:
    """The picture as it came; with `shown`, as a JPEG where it came in a form that browsers do not show."""
    data, suffix = _kept(station, find_inspection(station.store.read, inspection))
    return picture_answer(data, suffix, inspection, shown=shown)


@router.get("/inspections/{inspection}/overlay", response_class=Response, responses=_PICTURE)
def overlay(inspection: str, station: At, caption: bool = False, version: Short = None) -> Response:
    """The picture with heat and outlines, drawn by the version that judged, or by the one named (its id or number)."""
    result, _ = _again(station, inspection, version)
    drawn = cv2.cvtColor(result.overlay(caption=caption), cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return picture_answer(data, ".jpg", inspection, shown=False)


@router.get("/inspections/{inspection}/map.png", response_class=Response, responses=_PICTURE)
def map_png(inspection: str, station: At) -> Response:
    """The anomaly map, 16 bit: 32,768 is the threshold of regions, and 0 no distance at all from what is good.

    Of joined looks, whose map has no zero, it is 4,096 a deviation (docs/methods.md).
    """
    result, detector = _again(station, inspection)
    if result.anomaly_map is None:
        raise Problem("conflict", "This method makes no map.")
    plain = _sixteen_bits(result.anomaly_map, detector.manifest.calibration.map_threshold, result.is_distance)
    data = cv2.imencode(".png", plain)[1].tobytes()
    return picture_answer(data, ".png", inspection, shown=False)


def _sixteen_bits(map_HW: Floats, threshold: float, is_distance: bool) -> Array:
    """A map as map.png has it; what was not looked at is 0."""
    step = MIDDLE / threshold if is_distance and threshold > 0 else A_DEVIATION
    grey = MIDDLE + (map_HW.astype(np.float64) - threshold) * step
    return np.ceil(np.clip(np.nan_to_num(grey), 0, 65_535)).astype(np.uint16)


@router.get("/inspections/{inspection}/nearest/{place}", response_class=Response, responses=_PICTURE)
def nearest(inspection: str, place: int, station: At, shown: bool = False) -> Response:
    """The training picture nearest to region number `place` (0 is the first); `shown` as for the picture itself."""
    row = find_inspection(station.store.read, inspection)
    near = row.regions[place]["nearest"] if 0 <= place < len(row.regions) else []
    if not near:
        raise Problem("unknown-id", f"The inspection has no region {place} with a nearest good part.")
    path = station.store.pictures.named(near[0]["path"])
    if path is None:
        raise Problem("expired", "The nearest good picture is not kept here; the model was taught elsewhere.")
    return picture_answer(path.read_bytes(), path.suffix, path.stem, shown=shown)


@router.put("/inspections/{inspection}/label", response_model=InspectionOut, responses=documented("unknown-id"))
def put_label(inspection: str, said: LabelPut, station: At, who: Who) -> dict[str, Any]:
    """Good after all, really bad, or not sure; what was said before is kept."""
    return _label(station, who.name, inspection, said.label, said.note)


@router.delete("/inspections/{inspection}/label", response_model=InspectionOut, responses=documented("unknown-id"))
def delete_label(inspection: str, station: At, who: Who) -> dict[str, Any]:
    """Take the label back."""
    return _label(station, who.name, inspection, None, "")


@router.get("/inspections/{inspection}/labels", response_model=list[LabelOut], responses=documented("unknown-id"))
def labels(inspection: str, station: At) -> list[dict[str, Any]]:
    """All that was said of a verdict, oldest first."""
    find_inspection(station.store.read, inspection)
    return list_labels(station.store.read, inspection)


def _label(station: Station, who: str, id: str, label: str | None, note: str) -> dict[str, Any]:
    station.store.write(lambda connection: label_inspection(connection, who, id, label, note))
    row = find_inspection(station.store.read, id)
    answer = Named(station).inspection(row)
    station.events.tell("label", {"id": id, "recipe": answer["recipe"], "label": label, "by": who})
    return answer


def written(station: Station, row: Inspection) -> Inspection:
    """A part once its picture is on the disk, which it is a moment after its verdict was told; not waited for long."""
    until = time.monotonic() + WRITTEN_WITHIN
    while row.image_state == "pending" and time.monotonic() < until:
        time.sleep(0.02)
        row = find_inspection(station.store.read, row.id)
    return row


def _kept(station: Station, row: Inspection) -> tuple[bytes, str]:
    """The bytes of a part's picture, and its suffix. Raises Problem where they are not there."""
    row = written(station, row)
    listed = station.store.read.execute("SELECT suffix FROM picture WHERE sha256 = ?", [row.image_sha]).fetchone()
    data = station.store.pictures.get(row.image_sha, listed["suffix"]) if listed is not None else None
    if data is None:
        raise Problem("expired", f"The picture of {row.id} is not there ({row.image_state}).")
    return data, str(listed["suffix"])


def _again(station: Station, id: str, named: str | None = None) -> tuple[Result, Detector]:
    """The result of a part by the version named, else by the one that judged it; and its detector."""
    row = find_inspection(station.store.read, id)
    data, _ = _kept(station, row)
    recipe = recipe_of_id(station.store.read, row.recipe)
    version = (
        find_version(station.store.read, recipe, named) if named else version_of_id(station.store.read, row.version)
    )
    if version is None:
        raise Problem("expired", "The version that judged this is not there any more.")
    detector = station.registry.of_version(recipe, version).detector
    try:
        return detector.inspect((row.name, data)), detector
    except ImageError as error:
        raise Problem("conflict", f"There is nothing to draw: {error}") from None


def _plain(station: Station, wanted: Filter) -> Iterator[dict[str, Any]]:
    named = Named(station)
    for row in each_inspection(station.store.database.connect, wanted):
        answer = named.inspection(row, detail="verdict")
        yield {name: answer[name] for name in EXPORTED}


def _csv(station: Station, wanted: Filter) -> Iterator[bytes]:
    table = io.StringIO()
    rows = csv.DictWriter(table, EXPORTED)
    rows.writeheader()
    yield "\ufeff".encode()
    for plain in _plain(station, wanted):
        rows.writerow({name: quoted(value) if isinstance(value, str) else value for name, value in plain.items()})
        if table.tell() > 1 << 16:
            yield table.getvalue().encode()
            table.seek(0)
            table.truncate()
    yield table.getvalue().encode()


def json_lines(station: Station, wanted: Filter) -> Iterator[bytes]:
    """An export, many rows a piece."""
    rows = _plain(station, wanted)
    while some := list(islice(rows, AT_ONCE)):  # each piece that is sent costs two changes of threads
        yield "".join(json.dumps(plain, ensure_ascii=False) + "\n" for plain in some).encode()
