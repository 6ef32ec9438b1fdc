"""Adapting a network: the made defects it learns from, and what is refused before anything is learnt."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from parts import good_part, save_image
from shell import RunCli

import blemish
from blemish.adaptation import adapt as adapting
from blemish.adaptation.made import CHANGES, IGNORED, Good, Made, cell_labels, make
from blemish.backbones.backbone import Manifest, load_backbone
from blemish.errors import BackboneError, BlemishError, DataError, ImageError, OptionError
from blemish.images.sources import Images
from blemish.options.recipe import read_recipe

GOOD = [good_part(seed) for seed in range(12)]


def good_of(seed: int, dtype: str = "uint8") -> Good:
    grey = good_part(seed).astype(dtype) * (1 if dtype == "uint8" else 257)
    looked_HW = np.zeros(grey.shape, np.bool_)
    looked_HW[16:80, 32:96] = True
    return Good(np.repeat(grey[..., None], 3, axis=2), looked_HW)


@pytest.fixture
def learnt(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is learnt: the network that is written is the built-in one, and its names are kept here."""
    written: list[str] = []

    def write_network(network: object, name: str, *, source: str) -> Manifest:
        written.append(name)
        return load_backbone("efficientnet_lite0").manifest.model_copy(update={"name": name, "source": source})

    fake = ModuleType("blemish.adaptation.network")
    fake.Training = lambda seed, threads: SimpleNamespace(seed=seed, threads=threads)  # type: ignore[attr-defined]
    fake.learn = lambda pairs, training, progress: pairs  # type: ignore[attr-defined]
    fake.write_network = write_network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "blemish.adaptation.network", fake)
    return written


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_made_defect_lies_where_images_are_looked_at_and_comes_with_what_it_changed(dtype: str) -> None:
    good, donor = good_of(1, dtype), good_of(2, dtype)
    kinds = set()
    for seed in range(60):
        made = make(good, donor, np.random.default_rng(seed))
        changed_HW = (made.image_HWC != good.image_HWC).any(axis=2)
        assert made.image_HWC.dtype == good.image_HWC.dtype
        assert not changed_HW[~good.looked_HW].any()
        assert not made.alpha_HW[~good.looked_HW].any()
        assert (made.change_HW[changed_HW] > 0).all()
        kinds.add(made.kind)
    assert kinds == set(range(len(CHANGES)))


def test_the_same_seed_makes_the_same_defect() -> None:
    one, same, other = (make(good_of(1), good_of(2), np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.image_HWC, same.image_HWC)
    assert (one.image_HWC != other.image_HWC).any()


def test_a_cell_is_good_or_changed_or_tells_nothing() -> None:
    """By hand: four cells of 16 pixels; one that changed, its neighbours, one far from it, and one not looked at."""
    shape = 16, 64
    alpha_HW, change_HW, looked_HW = np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.ones(shape, np.bool_)
    alpha_HW[:, :16], change_HW[:, :16], looked_HW[:, 48:] = 1, 0.1, False
    made = Made(np.zeros((*shape, 3), np.uint8), alpha_HW, change_HW, looked_HW, kind=2)
    assert cell_labels(made, 16, 0.02).tolist() == [[3, IGNORED, 0, IGNORED]]
    assert cell_labels(made, 16, 0.2).tolist() == [[IGNORED, IGNORED, 0, IGNORED]]


def test_the_small_looks_are_taken_twice_and_the_recipe_keeps_what_was_given(
    learnt: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path))
    adapted = blemish.adapt(GOOD, "part", ignore="0,0,20x20", seed=3, threads=1)
    assert learnt == ["part"]
    assert (adapted.good, adapted.network.name) == (12, "part")
    plain = len(adapted.looks) - 2
    assert adapted.looks[plain:] == tuple(f"part@{look}" for look in adapted.looks[1:plain])
    (tmp_path / "part.toml").write_text(adapted.recipe(), encoding="utf-8")
    kept = read_recipe(tmp_path / "part.toml").fit
    assert kept["looks"] == list(adapted.looks)
    assert (kept["ignore"], kept["seed"], kept["threads"]) == (["0,0,20x20"], 3, 1)


def test_pairs_show_different_parts() -> None:
    goods = [good_of(seed) for seed in range(4)]
    pairs = adapting.Pairs(goods, np.array([0, 0, 1, 1]))
    for seed in range(30):
        one, other = pairs(np.random.default_rng(seed))
        first, second = (next(n for n, good in enumerate(goods) if good is each) for each in (one, other))
        assert first // 2 != second // 2


@pytest.mark.usefixtures("learnt")
@pytest.mark.parametrize(
    ("good", "options", "error", "said"),
    [
        (GOOD, {"looks": "448:2+3"}, OptionError, "Option looks cannot be used with adapt, which chooses the looks"),
        (GOOD, {"method": "padim"}, OptionError, "Looks are chosen for the method patchcore"),
        (GOOD, {"backbone": "resnet18"}, OptionError, "Option backbone cannot be used with adapt"),
        (GOOD, {"groups": ["one part"] * 12}, DataError, "12 good images of 1 parts are too few to learn from"),
        (GOOD[:9], {}, DataError, "9 good images of 9 parts are too few to learn from; give 10 or more"),
        ([np.zeros((0, 3))] * 3, {}, DataError, "3 good images of 3 parts are too few"),
        (GOOD[:1] * 12, {}, DataError, "identical to the last pixel"),
        ([*GOOD, np.zeros((0, 3))], {}, ImageError, "0x3"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    good: Images,
    options: dict[str, str],
    error: type[BlemishError],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path))
    with pytest.raises(error, match=said):
        blemish.adapt(good, "part", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("efficientnet_lite0", "built-in"),
        ("mine", "There is a network 'mine'"),
        ("part 7", "'part 7' cannot name a backbone"),
        ("part@2", "'part@2' cannot name a backbone"),
        ("", "'' cannot name a backbone"),
    ],
)
def test_a_name_that_cannot_be_taken_is_refused_before_images_are_read(
    name: str, said: str, learnt: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path))
    (tmp_path / "backbones").mkdir()
    manifest = load_backbone("efficientnet_lite0").manifest.model_copy(update={"name": "mine"})
    (tmp_path / "backbones" / "mine.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    with pytest.raises(BackboneError, match=said):
        blemish.adapt("no such folder", name)
    if name == "mine":
        assert blemish.adapt(GOOD, name, overwrite=True).network.name == "mine"
        assert learnt == ["mine"]


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is here")
def test_without_its_extra_the_command_says_what_to_install(run_cli: RunCli, tmp_path: Path) -> None:
    save_image(tmp_path / "good" / "1.png", GOOD[0])
    done = run_cli("adapt", str(tmp_path / "good"), "-o", str(tmp_path / "part.toml"))
    assert "pip install 'blemish[adapt]'" in done.sentence
    assert not (tmp_path / "part.toml").exists()
