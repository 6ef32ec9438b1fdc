"""Large and long images, at their own resolution, within 2 GB: measured as the operating system counts it."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from parts import save_image

from blemish.arrays import Bytes

LIMIT = 2 * 10**9


def sheet(seed: int, height: int, width: int, *, dent: bool = False) -> Bytes:
    """A rolled sheet, perhaps with a dent of eight pixels."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 50, (height, width)).astype(np.float32)
    image = 120 + cv2.GaussianBlur(noise, (0, 0), 2.5, sigmaY=0.8)
    if dent:
        cv2.circle(image, (width * 2 // 3, height // 2), 4, 240, -1, cv2.LINE_AA)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def peak_of(*arguments: str) -> tuple[int, str, int]:
    """Exit code, output and peak memory in bytes of one `blemish` command."""
    script = (
        "import resource, sys; from blemish.cli import main; sys.argv[0] = 'blemish'\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, int(done.stderr.split()[-1]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kilobytes on Linux only")
@pytest.mark.parametrize(("height", "width"), [(2000, 8000), (5000, 200), (200, 5000)])
def test_large_images_are_fitted_and_inspected_within_two_gigabytes(height: int, width: int, tmp_path: Path) -> None:
    for seed in range(3):
        save_image(tmp_path / "good" / f"{seed}.png", sheet(seed, height, width))
    for seed in range(3):
        save_image(tmp_path / "line" / f"{seed}.png", sheet(10 + seed, height, width, dent=seed > 0))
    model = str(tmp_path / "a.blemish")
    options = ["--tiles", "auto", "--coreset", "2000", "--folds", "2", "--memory", "500MB"]
    code, _, fitting = peak_of("fit", str(tmp_path / "good"), "-o", model, *options)
    assert code == 0
    code, printed, inspecting = peak_of(
        "inspect", model, str(tmp_path / "line"), "--json", "--overlays", str(tmp_path / "seen")
    )
    print(f"{width} x {height}: fit {fitting / 1e6:.0f} MB, inspect {inspecting / 1e6:.0f} MB")
    assert code == 1
    assert [result["verdict"] for result in json.loads(printed)][1:] == ["NG", "NG"]
    box = json.loads(printed)[1]["regions"][0]
    assert box["x"] <= width * 2 // 3 < box["x"] + box["width"]
    assert box["y"] <= height // 2 < box["y"] + box["height"]
    assert max(fitting, inspecting) < LIMIT
