"""blemish backbone: the networks that describe patches."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from blemish.cli.commands import CommandLine
from blemish.cli.console import print_json, print_tree, say

__all__ = ["app"]

app = CommandLine(
    help="List, describe, export and import the networks that describe patches.",
)

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Three = tuple[float, float, float]


@app.command("list")
def list_all(json: Json = False) -> None:
    """List the backbones of this machine, the built-in one first."""
    from blemish.backbones.backbone import list_backbones

    manifests = list_backbones()
    if json:
        print_json([manifest.model_dump() for manifest in manifests])
        return
    for manifest in manifests:
        taps = " ".join(f"{tap.name}:{tap.channels}@{tap.stride}" for tap in manifest.taps)
        print(f"{manifest.name:<24} {taps}  ({manifest.licence})")


@app.command()
def info(name: Annotated[str, typer.Argument(help="A backbone's name, or an .onnx file.")], json: Json = False) -> None:
    """Describe one backbone, after checking that its file is the one its manifest describes."""
    from blemish.backbones.backbone import load_backbone

    backbone = load_backbone(name)
    if json:
        print_json(backbone.manifest.model_dump())
        return
    taps = {
        tap.name: f"level {tap.level}, stride {tap.stride}, {tap.channels} channels" for tap in backbone.manifest.taps
    }
    told = backbone.manifest.model_dump(exclude={"taps"})
    print_tree({**told, "taps": taps, "bytes": f"{len(backbone.onnx):,}"})


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="A timm network, such as wide_resnet50_2.tv_in1k.")],
    weights: Annotated[
        str | None, typer.Option(help='A .safetensors or .pth state dict, or "random"; timm downloads otherwise.')
    ] = None,
    save_as: Annotated[str | None, typer.Option(help="Name of the backbone; the network's own by default.")] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Side of the fixed input of a transformer.")] = None,
    json: Json = False,
) -> None:
    """Turn a timm network into a backbone (needs the extra: pip install 'blemish[torch]')."""
    from blemish.backbones.export import export_backbone

    source: Path | Literal["random"] | None = "random" if weights == "random" else Path(weights) if weights else None
    manifest = export_backbone(name, weights=source, save_as=save_as, size=None if size is None else (size, size))
    _report(manifest.model_dump(), json)


@app.command("import")
def import_file(
    network: Annotated[Path, typer.Argument(help="An ONNX network that takes one RGB image, 1 x 3 x H x W.")],
    taps: Annotated[str, typer.Option(help="Tensors to use as taps, shallowest first, separated by commas.")],
    name: Annotated[str | None, typer.Option(help="Name of the backbone; the file's own by default.")] = None,
    mean: Annotated[Three, typer.Option(help="Mean of each channel, RGB / 255.")] = (0.485, 0.456, 0.406),
    std: Annotated[Three, typer.Option(help="Standard deviation of each channel, RGB / 255.")] = (0.229, 0.224, 0.225),
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "not stated",
    json: Json = False,
) -> None:
    """Take your own ONNX network in."""
    from blemish.backbones.backbone import import_backbone

    names = [tap.strip() for tap in taps.split(",") if tap.strip()]
    manifest = import_backbone(network, name=name or network.stem, taps=names, mean=mean, std=std, licence=licence)
    _report(manifest.model_dump(), json)


def _report(manifest: dict[str, object], json: bool) -> None:
    from blemish.backbones.backbone import backbone_folder

    if json:
        print_json(manifest)
    else:
        say(f"{manifest['name']} is in {backbone_folder()}; use it with blemish fit --backbone {manifest['name']}")
