"""Make an export of a model: the graph, what it says of itself, and the seal."""

from importlib.metadata import version
from importlib.resources import files

import numpy as np
import onnx

from blemish.backbones.backbone import Manifest
from blemish.errors import OptionError
from blemish.export.document import DEVIATIONS, DISTANCE, CellsInput, Document, GoodImage, Licence, Memory, Thresholds
from blemish.export.graph import Exported, export_graph
from blemish.export.lighter import Precision, lighter
from blemish.export.others import known_cells
from blemish.export.seal import sealed
from blemish.methods.nearest_image import NearestImage
from blemish.methods.padim import PaDiM
from blemish.methods.patchcore import PatchCore
from blemish.model.inspection import Usual
from blemish.model.model import Model

__all__ = ["DOCUMENT", "export_bytes"]

DOCUMENT = "blemish"
"""The key of the document in the metadata."""
MOST_BYTES = 2**31 - 1
"""Of a file of protobuf."""


def export_bytes(model: Model, *, resizes: bool = False, precision: Precision = "float32") -> bytes:
    """The ONNX file of a model, with its document in the metadata and its seal.

    `resizes` makes it take images of any size; `precision` is that of the weights in the file.

    Raises OptionError with the reason.
    """
    exported = export_graph(model, resizes=resizes)
    document = document_of(model, exported).model_copy(update={"resizes": resizes, "precision": precision})
    return packed(lighter(exported.graph, precision), document)


def packed(graph: onnx.ModelProto, document: Document) -> bytes:
    """One file of a graph and its document. Raises OptionError for one that is too large for the format."""
    graph.producer_name, graph.producer_version = "blemish", document.blemish
    graph.doc_string = "Input: sized pixels. Outputs: score, map, nearest row. See the metadata under the key blemish."
    onnx.helper.set_model_props(graph, {DOCUMENT: document.model_dump_json()})
    if graph.ByteSize() > MOST_BYTES:
        raise OptionError(
            f"The ONNX file would have {graph.ByteSize():,} bytes, and 2 GB are the most; fit with a smaller coreset."
        )
    return sealed(graph.SerializeToString())


def document_of(model: Model, exported: Exported) -> Document:
    """All that a reader needs beside the graph."""
    manifest, calibration = model.manifest, model.manifest.calibration
    rules, usual = manifest.viewer.rules, Usual.of(manifest.images)
    several = isinstance(model.method, PatchCore) and len(model.method.looks) > 1
    backbones = [each for each in (manifest.backbone, *manifest.more_backbones) if each is not None]
    return Document(
        blemish=version("blemish"),
        model=model.digest,
        method=manifest.method,
        created=manifest.created,
        opset=next(entry.version for entry in exported.graph.opset_import if entry.domain in ("", "ai.onnx")),
        input=manifest.transform,
        pillow=version("pillow"),
        cells=[CellsInput(name=name, rows=grid[0], columns=grid[1]) for grid, name in exported.cells.items()],
        grid=manifest.grid,
        only_cells=_only_cells(model),
        places=manifest.places,
        thresholds=Thresholds(**calibration.model_dump(include=set(Thresholds.model_fields)), rise=calibration.rise),
        unit=DEVIATIONS if several else DISTANCE,
        good_scores=np.sort(model.held_out.scores_M).tolist(),
        memory=_memory(model),
        max_pixels=rules.bounds.pixels,
        max_side=rules.bounds.side,
        nodata=rules.nodata,
        end=usual.end,
        measured=usual.measured,
        licences=[Licence(network=each.name, source=each.source, licence=each.licence) for each in backbones],
        notice="\n".join(_notice(each) for each in backbones),
    )


def _only_cells(model: Model) -> list[int] | None:
    if not isinstance(model.method, PaDiM):
        return None
    return [int(cell) for cell in np.flatnonzero(known_cells(model.method, model.manifest.grid))]


def _memory(model: Model) -> Memory | None:
    """Where each row was seen, with the images that any row was seen in."""
    method = model.method
    if isinstance(method, PatchCore):
        image_K, cell_K = method.looks[0].bank.image_K, method.looks[0].bank.cell_K
    elif isinstance(method, NearestImage):
        image_K, cell_K = method.image_K, np.zeros(len(method.image_K), np.int64)
    else:
        return None
    known, place_K = np.unique(image_K, return_inverse=True)
    images = [model.manifest.images[number] for number in known]
    return Memory(
        images=[GoodImage(path=image.path, height=image.height, width=image.width) for image in images],
        image=place_K.tolist(),
        cell=cell_K.tolist(),
    )


def _notice(backbone: Manifest) -> str:
    """The notice that the package ships with a network of its own; else who made it, under which licence."""
    own = files("blemish.backbones").joinpath(f"{backbone.name}.NOTICE")
    if own.is_file():
        return own.read_text(encoding="utf-8")
    return f"{backbone.name}: {backbone.source}; licence {backbone.licence}."
