"""blemish export: a model as one ONNX file that other programs run, or as a page that judges in the browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from blemish.cli.console import say
from blemish.cli.images import found_images
from blemish.cli.options import Force, Trusted

if TYPE_CHECKING:
    from blemish.detector import Detector
    from blemish.system.address import Place

__all__ = ["export"]


def export(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file (.onnx, .xml) or the folder to write.")],
    to: Annotated[
        Literal["onnx", "openvino", "web"],
        typer.Option(
            help="onnx: one file, a .json beside it. openvino: an IR. web: a folder with a page for browsers."
        ),
    ] = "onnx",
    runtime: Annotated[
        Path, typer.Option(help="For the page: the folder dist of the npm package onnxruntime-web.")
    ] = Path("node_modules/onnxruntime-web/dist"),
    with_resize: Annotated[
        bool,
        typer.Option("--with-resize", help="For onnx: resize inside the graph, which then takes pictures of any size."),
    ] = False,
    precision: Annotated[
        Literal["float32", "bfloat16", "int8"],
        typer.Option(
            help="Of the weights in the file: bfloat16 takes half as many bytes, int8 a third. Written only where "
            "--check (100 good images or more) shows next to no loss."
        ),
    ] = "float32",
    check: Annotated[
        list[str] | None,
        typer.Option(help="Images, a folder or a pattern: run export and model on them, and say how far they differ."),
    ] = None,
    defective: Annotated[
        list[str] | None, typer.Option(help="With bfloat16 and int8: defective images, to show the loss of AUROC.")
    ] = None,
    force: Force = False,
    trusted: Trusted = None,
) -> None:
    """Write a model as one ONNX file of standard operators: sized pixels in; score, map and nearest rows out.

    What a reader needs beside it (sizes, thresholds, licences) is in its metadata and in a JSON file beside it;
    docs/export.md says how to read it. Exit code 1: --check found differences above 1e-5, or of a verdict.
    """
    from blemish.detector import load
    from blemish.errors import OptionError
    from blemish.export.exporting import export_bytes
    from blemish.export.loss import check_loss
    from blemish.export.web import check_judgeable

    if with_resize and to != "onnx":
        raise OptionError("Option with_resize cannot be used with this --to: it is for onnx.")
    if defective and precision == "float32":
        raise OptionError("Option defective cannot be used with precision=float32: it is for bfloat16 and int8.")
    images, defects = (found_images(each) if each else [] for each in (check, defective))
    _claim(output, to, runtime, [model, *images, *defects], force=force)
    detector = load(model, trusted=trusted)
    content = export_bytes(detector.model, resizes=with_resize, precision=precision)
    if to == "web":
        check_judgeable(content)
    if precision != "float32":
        say(str(check_loss(detector, content, precision, images, defects, "openvino" if to == "openvino" else "onnx")))
    file, size = _write(output, to, runtime, content)
    say(f"{output}: {size:,} bytes, model {detector.model.version}; read docs/export.md.")
    if images and precision == "float32":
        _check(detector, file, images)


def _check(detector: "Detector", file: Path, images: "Sequence[Place]") -> NoReturn:
    """Say how far the file is from the model, and exit by that."""
    from blemish.export.artefact import Artefact
    from blemish.export.compare import compare

    agreement = compare(detector, Artefact.load(file), images)
    say(str(agreement))
    if not agreement.good:
        say(f"{file}: it was written, but does not say what the model says; do not inspect by it.")
    raise SystemExit(0 if agreement.good else 1)


def _claim(output: Path, to: str, runtime: Path, inputs: "Sequence[Place]", *, force: bool) -> None:
    """Refuse an output that may not be written, before any work."""
    from blemish.export.ir import claim_ir
    from blemish.export.runtimes import check_openvino
    from blemish.export.web import check_web
    from blemish.export.writing import claim_export

    if to == "web":
        check_web(output, runtime, force=force)
    elif to == "openvino":
        check_openvino()
        claim_ir(output, inputs, force=force)
    else:
        claim_export(output, inputs, force=force)


def _write(output: Path, to: str, runtime: Path, content: bytes) -> tuple[Path, int]:
    """The file to inspect by, and the bytes of all that was written."""
    from blemish.export.ir import write_ir
    from blemish.export.web import write_web
    from blemish.export.writing import write_export

    if to == "web":
        return output / "model.onnx", write_web(output, runtime, content)
    if to == "openvino":
        return output, write_ir(output, content)
    write_export(output, content)
    return output, len(content)
