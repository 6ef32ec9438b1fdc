"""Images and models in a bucket, on a server of S3 that runs on this machine: as if they were files."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from buckets import NEEDS_SERVER, Server, delete, fill, put, serving
from crews import LocalCrew, cluster_of
from parts import good_part, save_defective, save_image, scratched_part
from typer.testing import CliRunner

import blemish
from blemish.cli.main import app
from blemish.cluster.inspecting import inspect_many, inspect_to_parts
from blemish.errors import DataError, ModelFileError, OptionError
from blemish.images.files import find_images
from blemish.result import Result, Verdict
from blemish.system.address import place_of
from blemish.system.storage import Storage

pytestmark = NEEDS_SERVER
OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1, "threads": 1, "progress": False}
SMALL = ("--size", "32", "--coreset", "60", "--effort", "quick")
IMAGES = 20
BESIDE = 2
"""A mask and its image are also read to tell which is which."""
IMAGES_KEPT = "images.jsonl"
"""The tensor that holds names."""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good parts, with what lies beside images, and a labelled set."""
    root = tmp_path_factory.mktemp("local")
    for seed in range(IMAGES):
        save_image(root / f"good/{seed}.png", good_part(seed, 40, 48))
    save_image(root / "good/deeper/20.png", good_part(20, 40, 48))
    save_image(root / "good/3_mask.png", np.eye(48, dtype=np.uint8)[:40] * 255)
    save_image(root / "good/.hidden.png", good_part(21, 40, 48))
    (root / "good/notes.txt").write_text("x")
    save_image(root / "set/train/good/0.png", good_part(50))
    for seed in range(4):
        save_image(root / f"set/test/good/{seed}.png", good_part(100 + seed))
        save_defective(root / "set", "scratch", str(seed), scratched_part(200 + seed))
    return root


@pytest.fixture(scope="module")
def server(local: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        fill(running, local, "line")
        yield running


@pytest.fixture(autouse=True)
def _reached(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def alone(local: Path) -> blemish.Detector:
    """Fitted on the files."""
    return blemish.fit(local / "good", **OPTIONS)


def same(one: Result, other: Result) -> bool:
    return (one.verdict, one.score, one.percentile, one.regions) == (
        (other.verdict, other.score, other.percentile, other.regions)
    )


def assert_same_model(found: blemish.Detector, wanted: blemish.Detector) -> None:
    """Equal but for the names of the images."""
    for name, tensor in wanted.model.content.items():
        if name != IMAGES_KEPT:
            np.testing.assert_array_equal(found.model.content[name], tensor, err_msg=name)
    assert found.manifest.calibration == wanted.manifest.calibration


@pytest.mark.parametrize(
    ("named", "recursive"),
    [
        ("good", False),
        ("good/", False),
        ("good", True),
        ("good/*.PNG", False),
        ("good/[1-3]?.png", False),
        ("*/deeper/*", False),
        ("good/**", False),
        ("**/2*.png", False),
        ("good/3.png", False),
        ("good/.hidden.png", True),
        ("go?d/**/*0.png", False),
    ],
)
def test_images_are_found_as_files_are(named: str, recursive: bool, local: Path) -> None:
    try:
        wanted = find_images(f"{local}/{named}", recursive=recursive)
    except DataError:
        with pytest.raises(DataError):
            find_images(f"s3://plant/line/{named}", recursive=recursive)
        return
    found = find_images(f"s3://plant/line/{named}", recursive=recursive)
    names = [path.relative_to(local).as_posix() for path in map(Path, wanted.images)]
    assert list(map(str, found.images)) == [f"s3://plant/line/{name}" for name in names]
    assert found.left_out == wanted.left_out


def test_a_model_fitted_on_a_bucket_is_that_of_the_files(
    server: Server, alone: blemish.Detector, local: Path, tmp_path: Path
) -> None:
    server.requests("")
    detector = blemish.fit("s3://plant/line/good/", **OPTIONS)
    asked = server.requests(".png")
    assert_same_model(detector, alone)
    assert detector.manifest.images[0].path == "s3://plant/line/good/0.png"
    assert asked["GET"] == IMAGES + BESIDE, "each is read once: the looks take what was decoded for the glance"
    detector.save("s3://plant/models/part.blemish")
    detector.save(tmp_path / "part.blemish")
    there = place_of("s3://plant/models/part.blemish")
    assert there.read_bytes() == (tmp_path / "part.blemish").read_bytes()
    assert [each.name for each in there.parent.iterdir()] == ["part.blemish"], "no temporary object is left"
    loaded = blemish.load(Path("s3://plant/models/part.blemish"))
    server.requests("")
    results = list(loaded.inspect_many("s3://plant/line/good"))
    asked = server.requests(".png")
    wanted = list(alone.inspect_many(local / "good"))
    assert all(map(same, results, wanted))
    assert [each.path for each in results] == [f"s3://plant/line/good/{n}.png" for n in range(IMAGES)]
    assert asked["GET"] == IMAGES + BESIDE, "one GET an image"


def test_on_a_cluster_workers_read_the_images(
    server: Server, alone: blemish.Detector, local: Path, tmp_path: Path
) -> None:
    given = OPTIONS | {"spill_folder": tmp_path}
    cluster = cluster_of(LocalCrew(2), "s3://plant/state")
    detector = blemish.fit("s3://plant/line/good", cluster=cluster, **given)
    cluster.clear_checkpoint()
    assert_same_model(detector, alone)
    images = find_images("s3://plant/line/good").images
    results = list(inspect_many(cluster_of(LocalCrew(2)), detector, images))
    assert all(map(same, results, alone.inspect_many(local / "good")))
    out = "s3://plant/parts"
    list(inspect_to_parts(cluster_of(LocalCrew(2)), detector, images, out))
    server.requests("")
    list(inspect_to_parts(cluster_of(LocalCrew(2)), detector, images, out))
    assert server.requests(".png") == {}, "the listing says that nothing has changed"
    put(server, "line/good/7.png", (local / "good/8.png").read_bytes())
    try:
        list(inspect_to_parts(cluster_of(LocalCrew(2)), detector, find_images("s3://plant/line/good").images, out))
        assert server.requests(".png")["GET"] > 0, "an image that was taken anew is inspected anew"
        with pytest.raises(OptionError, match="holds other files"):
            blemish.fit("s3://plant/line/good", cluster=cluster_of(LocalCrew(1), out), **given)
    finally:
        put(server, "line/good/7.png", (local / "good/7.png").read_bytes())
    assert "run.json" in Storage(out).names()


def test_a_labelled_set_with_masks(server: Server, alone: blemish.Detector, local: Path, tmp_path: Path) -> None:
    wanted = blemish.evaluate(alone, local / "set")
    found = blemish.evaluate(alone, "s3://plant/line/set")
    assert found.to_dict().keys() == wanted.to_dict().keys()
    assert [each.score for each in found.predictions] == [each.score for each in wanted.predictions]
    assert found.rows()[:-1] == wanted.rows()[:-1]
    assert found.pixels is not None
    shutil.copytree(local / "set", tmp_path / "set")
    table = "path,label\ns3://plant/line/set/test/good/0.png,good\nset/test/scratch/0.png,scratch\n"
    (tmp_path / "list.csv").write_text(table)
    assert len(blemish.evaluate(alone, tmp_path / "list.csv").predictions) == 2


def test_what_cannot_be_read_is_an_error_of_that_image(server: Server, alone: blemish.Detector, local: Path) -> None:
    whole = (local / "good/0.png").read_bytes()
    put(server, "odd/1.png", whole)
    put(server, "odd/2.png", whole[: len(whole) // 2])
    put(server, "odd/3.png", b"")
    put(server, "odd/a b#%20+?ö.png", whole)
    images = find_images("s3://plant/odd").images
    delete(server, "odd/1.png")
    one, two, three = list(alone.inspect_many(images[:3]))
    assert one.error == "s3://plant/odd/1.png does not exist; check the path."
    assert two.error is not None
    assert "damaged" in two.error
    assert three.error == "s3://plant/odd/3.png is an empty file (0 bytes); was it copied wholly?"
    assert alone.inspect(images[3]).error is None
    several = list(alone.inspect_many(["s3://plant/odd/none.png", "xyz://a/1.png", "s3://plant/line/good/*1.png"]))
    assert [each.verdict for each in several[:2]] == [Verdict.ERROR] * 2
    assert len(several) == 4
    assert "xyz://a cannot be used: " in str(several[1].error)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("s3://plant/none", r"s3://plant/none does not exist; check the path"),
        ("s3://nobody/good", r"s3://nobody/good does not exist"),
        ("s3://plant/line/*.jpg", r"No image matches s3://plant/line/\*.jpg"),
        ("s3://plant/line", r"s3://plant/line holds no images \(found good/, set/\); name a folder that does, or s3:"),
        ("s3://plant/line/good/notes.txt", "does not end like an image"),
        ("ftp://plant/good", r"ftp://plant cannot be used: .*; give a folder, s3://, gs:// or abfs://"),
        ("s3://plant:pass@plant/good", r"The address of s3://plant/good holds a password or a key; leave it out"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(source: str, words: str) -> None:
    with pytest.raises((DataError, OptionError), match=words) as error:
        blemish.fit(source, **OPTIONS)
    assert "pass@" not in str(error.value)


def test_a_bucket_that_grants_nothing(alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, {"INITIAL_NO_AUTH_ACTION_COUNT": "1"}) as strict:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{strict.host}")
        with pytest.raises(DataError, match=r"s3://plant/good cannot be used: .*(ACCESS_DENIED|INVALID_ACCESS_KEY_ID)"):
            blemish.fit("s3://plant/good", **OPTIONS)
        with pytest.raises(ModelFileError, match=r"s3://plant/m.blemish could not be written: .*; nothing was changed"):
            alone.save("s3://plant/m.blemish")
        with pytest.raises(ModelFileError, match=r"s3://plant/m.blemish cannot be read \(.*"):
            blemish.load("s3://plant/m.blemish")
        (found,) = alone.inspect_many(["s3://plant/1.png"])
        assert "s3://plant/1.png cannot be read (" in str(found.error)


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, " ".join(done.output.split())


def test_commands_take_addresses(server: Server, local: Path, tmp_path: Path) -> None:
    model = "s3://plant/typed/part.blemish"
    code, told = run("fit", "s3://plant/line/good/", "-o", model, *SMALL)
    assert code == 0, told
    assert f"{model}: {IMAGES} good images at" in told
    code, told = run("inspect", model, "s3://plant/line/good/", "--csv", str(tmp_path / "rows.csv"))
    assert code in (0, 1, 3), told
    assert "s3://plant/line/good/0.png" in (tmp_path / "rows.csv").read_text()
    assert json.loads(run("info", model, "--json")[1])["images"] == IMAGES
    assert run("evaluate", model, "s3://plant/line/set")[0] == 0
    assert run("scan", "s3://plant/line/good", *SMALL)[0] in (0, 3)
    assert run("doctor", "s3://plant/line/good")[0] in (0, 1)


def test_commands_refuse_what_is_no_model_and_what_is_changed_in_place(server: Server, local: Path) -> None:
    put(server, "other/part.blemish", b"something else, which is longer than eight bytes")
    code, told = run("fit", "s3://plant/line/good", "-o", "s3://plant/other/part.blemish", "--size", "32")
    assert code == 2
    assert "s3://plant/other/part.blemish is there and is not a model written by blemish; choose another name" in told
    code, told = run("fit", "s3://plant/line/good", "-o", "s3://plant/line", "--size", "32")
    assert "s3://plant/line is a folder; name a file in it." in told
    code, told = run("fit", "s3://plant/line/good", "-o", "s3://nobody/part.blemish", "--size", "32")
    assert "s3://nobody/part.blemish cannot be written: " in told
    code, told = run("inspect", "s3://plant/other/part.blemish", "s3://plant/line/good")
    assert "s3://plant/other/part.blemish is not a blemish model, or it is damaged" in told
    code, told = run("inspect", "s3://plant/none.blemish", "s3://plant/line/good")
    assert "s3://plant/none.blemish does not exist; blemish fit makes model files." in told
    code, told = run("feedback", "add", "s3://plant/other/part.blemish", str(local / "good/1.png"))
    assert "is in a bucket, where nothing keeps two processes from changing it at once; copy it here" in told
    code, told = run("inspect", "s3://plant/other/part.blemish", "s3://plant/line/good", "--csv", "s3://plant/a.csv")
    assert "s3://plant/a.csv is an address, and " in told
    assert code == 2


def test_many_products_are_fitted_from_a_bucket_into_one(server: Server, local: Path, tmp_path: Path) -> None:
    for name in ("bolt", "nut"):
        for seed in range(6):
            put(server, f"products/{name}/good/{seed}.png", (local / f"good/{seed + len(name)}.png").read_bytes())
    command = ("fit", "--each", "s3://plant/products/*/good", "-o", "s3://plant/each/", *SMALL, "--json")
    rows = json.loads(CliRunner().invoke(app, command).stdout)
    assert [row["path"] for row in rows] == ["s3://plant/each/bolt.blemish", "s3://plant/each/nut.blemish"]
    assert [row["kept"] for row in rows] == [False, False]
    assert blemish.load("s3://plant/each/nut.blemish").manifest.images[0].path == "s3://plant/products/nut/good/0.png"
    put(server, "products/nut/good/0.png", (local / "good/9.png").read_bytes())
    rows = json.loads(CliRunner().invoke(app, command).stdout)
    assert [row["kept"] for row in rows] == [True, False], "an image was taken anew"
    code, told = run("fit", "--each", "s3://plant/none/*/good", "-o", "s3://plant/each", *SMALL)
    assert code == 2
    assert "s3://plant/none/*/good is no folder; with --each, name one folder of good images" in told
