"""One self-contained HTML page of inspected images: the part, its overlay, its score and verdict."""

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from blemish.arrays import Bytes
from blemish.detector import Detector
from blemish.images.read import read_image
from blemish.report.draw import displayable, overlay
from blemish.result import Result
from blemish.whole_file import write_whole

__all__ = ["write_page"]

LONGEST_SIDE = 320
"""Pictures on the page are at most this many pixels long."""

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 76rem; margin: 0 auto; padding: 1.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1.5rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.25rem; }
figure { margin: 0; }
figure div { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; }
img { width: 100%; display: block; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.NG { color: #d22; font-weight: 600; } .OK { color: #287a3e; font-weight: 600; } .REVIEW { color: #a60; }
@media (prefers-color-scheme: dark) { .NG { color: #ff7b72; } .OK { color: #5fd38a; } .REVIEW { color: #e3a83c; } }
"""


def write_page(
    path: Path, detector: Detector, images: Sequence[Path], *, title: str, numbers: Mapping[str, Any]
) -> None:
    """Inspect `images` and write them with their overlays, most anomalous first, under a list of numbers."""
    results = sorted(detector.inspect_many(images), key=_most_anomalous_first)
    facts = "\n".join(f"<dt>{html.escape(name)}</dt><dd>{_figure(value)}</dd>" for name, value in numbers.items())
    figures = "\n".join(_figure_of(detector, result) for result in results)
    content = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f"<h1>{html.escape(title)}</h1>\n<dl>\n{facts}\n</dl>\n"
        f"<p>Left the image, right its overlay: yellow to red where the map comes near its threshold and passes it, "
        f"regions outlined in blue. Scores above {detector.threshold:.4g} are NG.</p>\n"
        f"<main>\n{figures}\n</main>\n</html>\n"
    )
    write_whole(path, content.encode("utf-8", errors="backslashreplace"))


def _most_anomalous_first(result: Result) -> float:
    """Errors, whose score is NaN, come before all."""
    return -math.inf if result.error else -result.score


def _figure_of(detector: Detector, result: Result) -> str:
    name = html.escape(Path(result.path).name)
    caption = f'<span class="{result.verdict}">{result.verdict}</span> {result.score:.4g} {name}'
    if result.error:
        return f"<figure><figcaption>{caption}: {html.escape(result.error)}</figcaption></figure>"
    image = displayable(read_image(result.path), detector.manifest.transform)
    drawn = overlay(image, result, detector.manifest.calibration.map_threshold)
    pictures = f"{_picture(image, 'image')}{_picture(drawn, 'overlay')}"
    return f"<figure><div>{pictures}</div><figcaption>{caption}</figcaption></figure>"


def _picture(pixels: Bytes, what: str) -> str:
    """An image element that holds its own pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=85)
    return f'<img alt="{what}" src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else html.escape(str(value))
