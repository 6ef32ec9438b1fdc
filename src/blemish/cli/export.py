"""blemish export: a model as one ONNX file that other programs run, or as a page that judges in the browser."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from blemish.cli.console import say
from blemish.cli.images import found_images
from blemish.cli.options import Force, Trusted

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
        bool, typer.Option(help="For onnx: resize inside the graph, which then takes pictures of any size.")
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option(help="Images, a folder or a pattern: run export and model on them, and say how far they differ."),
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
    from blemish.export.artefact import Artefact
    from blemish.export.compare import compare
    from blemish.export.exporting import export_bytes
    from blemish.export.ir import claim_ir, write_ir
    from blemish.export.runtimes import check_openvino
    from blemish.export.web import check_web, write_web
    from blemish.export.writing import claim_export, write_export

    if with_resize and to != "onnx":
        raise OptionError("Option with_resize cannot be used with this --to: it is for onnx.")
    images = found_images(check) if check else []
    if to == "web":
        check_web(output, runtime, force=force)
    elif to == "openvino":
        check_openvino()
        claim_ir(output, [model, *images], force=force)
    else:
        claim_export(output, [model, *images], force=force)
    detector = load(model, trusted=trusted)
    content, file = export_bytes(detector.model, resizes=with_resize), output
    if to == "web":
        size, file = write_web(output, runtime, content), output / "model.onnx"
    elif to == "openvino":
        size = write_ir(output, content)
    else:
        write_export(output, content)
        size = len(content)
    say(f"{output}: {size:,} bytes, model {detector.model.version}; read docs/export.md.")
    if images:
        agreement = compare(detector, Artefact.load(file), images)
        say(str(agreement))
        raise SystemExit(0 if agreement.good else 1)
