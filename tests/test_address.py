"""Addresses of buckets without a bucket: how they are read, shown, matched and refused."""

import pickle
import subprocess
import sys
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from parts import good_part, save_image
from shell import RunCli

import blemish
from blemish.errors import DataError, ImageError, ModelFileError, OptionError
from blemish.images.ahead import read_ahead
from blemish.images.files import find_images
from blemish.images.read import read_image
from blemish.system.address import Address, address_of, identity, place_of, stamp
from blemish.system.buckets import Seen, bucket_at
from blemish.system.outputs import ANY, Kind, Outputs, begins

OBJECTS = {
    "good/img2.png": 5,
    "good/img10.png": 6,
    "good/.hidden.png": 7,
    "good/notes.txt": 8,
    "good/day-1/img1.PNG": 9,
    "good/.cache/img1.png": 10,
    "good/day-2/a/b.tif": 11,
}


class FakeBucket:
    """Says what OBJECTS hold, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def seen(self, name: str) -> Seen:
        self.asked.append(f"seen {name}")
        if name in OBJECTS:
            return Seen("file", OBJECTS[name], 17)
        return Seen("folder" if any(each.startswith(f"{name}/") for each in OBJECTS) or not name else "none")

    def read(self, name: str, most: int | None = None) -> bytes:
        self.asked.append(f"read {name}")
        if name == "good/img10.png":
            raise FileNotFoundError(name)
        return name.encode()

    def listed(self, name: str, *, recursive: bool = False) -> Iterator[tuple[str, Seen]]:
        self.asked.append(f"list {name}")
        inside = {each.removeprefix(f"{name}/" if name else ""): size for each, size in OBJECTS.items()}
        below = {each: size for each, size in inside.items() if not name or f"{name}/{each}" in OBJECTS}
        folders = {each[:place] for each in below for place, letter in enumerate(each) if letter == "/"}
        for each in sorted(folders):
            if recursive or "/" not in each:
                yield each, Seen("folder")
        for each, size in sorted(below.items()):
            if recursive or "/" not in each:
                yield each, Seen("file", size, 17)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> FakeBucket:
    fake = FakeBucket()
    monkeypatch.setattr("blemish.system.address.bucket_at", lambda root, query: fake)
    return fake


@pytest.mark.parametrize(
    ("typed", "shown", "key"),
    [
        ("s3://plant/good/1.png", "s3://plant/good/1.png", "good/1.png"),
        (Path("s3://plant/good/1.png"), "s3://plant/good/1.png", "good/1.png"),
        ("S3://plant/good/", "s3://plant/good", "good"),
        ("gs://plant", "gs://plant", ""),
        ("s3://plant/a b#%20.png", "s3://plant/a b#%20.png", "a b#%20.png"),
        ("s3://plant/img?.png", "s3://plant/img?.png", "img?.png"),
        ("s3://plant/x?scheme=http&region=a", "s3://plant/x?scheme=http&region=a", "x"),
        ("s3://plant?region=a", "s3://plant?region=a", ""),
        ("abfs://box@host.dfs.core.windows.net/x", "abfs://box@host.dfs.core.windows.net/x", "x"),
    ],
)
def test_an_address_is_shown_as_it_is_read(typed: str | Path, shown: str, key: str) -> None:
    address = address_of(typed)
    assert address is not None
    assert (str(address), address.key) == (shown, key)
    assert address_of(str(address)) == address
    assert pickle.loads(pickle.dumps(address)) == address


@pytest.mark.parametrize("typed", ["good/1.png", "C:/good", "/abs/s3:/x", "a:b/c"])
def test_paths_are_no_addresses(typed: str) -> None:
    assert place_of(typed) == Path(typed)


def test_what_exists_here_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line:").mkdir()
    assert place_of("line:/") == Path("line:")


def test_an_address_has_what_is_asked_of_a_path() -> None:
    address = Address("s3://plant", "good/day 1/x.PNG", "?region=a")
    assert (address.name, address.stem, address.suffix) == ("x.PNG", "x", ".PNG")
    assert str(address.parent / "y.png") == "s3://plant/good/day 1/y.png?region=a"
    assert address.parts == ("s3://plant", "good", "day 1", "x.PNG")
    assert address.relative_to(address.parent.parent).parts == ("day 1", "x.PNG")
    assert identity(address) == identity(str(address)) == str(address)
    with pytest.raises(ValueError, match="not in"):
        address.relative_to(Path("good"))


@pytest.mark.parametrize("typed", ["s3://user:pass@plant/x", "s3://plant/x?secret_key=pass", "gs://plant?token=pass"])
def test_an_address_with_a_secret_is_refused_without_saying_it(typed: str) -> None:
    with pytest.raises(OptionError, match="holds a password or a key; leave it out") as error:
        find_images(typed)
    assert "pass@" not in str(error.value)
    assert "=pass" not in str(error.value)
    with pytest.raises(ImageError, match="holds a password"):
        read_image(typed)
    with pytest.raises(OptionError, match="holds a password"):
        blemish.load(typed)


def test_without_pyarrow_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.system.buckets.find_spec", lambda name: None)
    sentence = "gs://plant is an address, and buckets need the package pyarrow, which is not installed; install it with"
    with pytest.raises(OptionError, match=sentence):
        blemish.fit("gs://plant/good")
    with pytest.raises(OptionError, match=sentence):
        blemish.load("gs://plant/part.blemish")
    with pytest.raises(ImageError, match=sentence):
        read_image("gs://plant/1.png")


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed (extra ray)")
def test_other_kinds_of_addresses_are_refused() -> None:
    with pytest.raises(OptionError, match=r"https://plant cannot be used: .*; give a folder, s3://, gs:// or abfs://"):
        bucket_at("https://plant", "")


@pytest.mark.parametrize(
    ("source", "recursive", "names", "asked"),
    [
        ("s3://b/good", False, ["img2.png", "img10.png"], ["seen good", "list good"]),
        ("s3://b/good/*.png", False, ["img2.png", "img10.png"], None),
        ("s3://b/good/*/*.png", False, ["day-1/img1.PNG"], None),
        ("s3://b/good/**", False, ["day-1/img1.PNG", "day-2/a/b.tif", "img2.png", "img10.png"], None),
        ("s3://b/good", True, ["day-1/img1.PNG", "day-2/a/b.tif", "img2.png", "img10.png"], None),
        ("s3://b/good/**/a/*", False, ["day-2/a/b.tif"], None),
        ("s3://b/good/img2.png", False, ["img2.png"], ["seen good/img2.png"]),
    ],
)
def test_objects_are_found_as_files_are(
    bucket: FakeBucket, source: str, recursive: bool, names: list[str], asked: list[str] | None
) -> None:
    found = find_images(source, recursive=recursive)
    assert [str(image) for image in found.images] == [f"s3://b/good/{name}" for name in names]
    if asked is not None:
        assert bucket.asked == asked
    assert len(bucket.asked) <= 8, "not one for each image"


def test_what_is_left_out_is_counted(bucket: FakeBucket) -> None:
    assert find_images("s3://b/good").left_out == {
        "sub-folders, which recursive reads": 2,
        "files that end in .txt": 1,
    }
    with pytest.raises(DataError, match="s3://b/none does not exist; check the path"):
        find_images("s3://b/none")
    with pytest.raises(
        DataError, match=r"s3://b holds no images \(found good/\); name a folder that does, or s3://b/\*"
    ):
        find_images("s3://b")


def test_what_was_listed_is_not_asked_for_again(bucket: FakeBucket) -> None:
    images = find_images("s3://b/good").images
    bucket.asked.clear()
    assert [stamp(image) for image in images] == [(5, 17), (6, 17)]
    assert bucket.asked == []
    assert stamp("s3://b/good/img2.png") == (5, 17)
    assert bucket.asked == ["seen good/img2.png"]
    with pytest.raises(FileNotFoundError):
        stamp("s3://b/good")


def test_objects_are_read_ahead_in_order_and_one_that_cannot_be_read_comes_as_it_is(bucket: FakeBucket) -> None:
    images = find_images("s3://b/good/**").images
    given = list(read_ahead([*images, "here.png", b"bytes"]))
    *read, gone, path, content = given
    assert read == [(str(image), image.key.encode()) for image in images[:3] if isinstance(image, Address)]
    assert (gone, path, content) == (images[3], "here.png", b"bytes")


def test_no_more_is_read_ahead_than_there_is_room_for(bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.images.ahead.ROOM", 20)
    image = Address("s3://b", "good/img2.png", seen=Seen("file", 8))
    ahead = read_ahead([image] * 5)
    next(ahead)
    assert bucket.asked.count("read good/img2.png") <= 2, "the one that was given, and one more of 8 bytes"
    assert len(list(ahead)) == 4
    large = Address("s3://b", "good/img2.png", seen=Seen("file", 80))
    assert len(list(read_ahead([large] * 3))) == 3
    begun = read_ahead([image] * 100)
    next(begun)
    assert isinstance(begun, Generator)
    begun.close()
    assert bucket.asked.count("read good/img2.png") < 20


def test_paths_alone_are_not_read_ahead() -> None:
    assert list(read_ahead(["a.png", Path("b.png")])) == ["a.png", Path("b.png")]


def test_a_model_in_a_bucket_is_not_changed_in_place() -> None:
    from blemish.model.holding import model_to_change, model_to_write

    for held in (model_to_change("s3://plant/m.blemish"), model_to_write("s3://plant/m.blemish", anew=False)):
        with pytest.raises(ModelFileError, match=r"s3://plant/m.blemish is in a bucket, where nothing keeps two"), held:
            raise AssertionError("it was not refused")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (begins("a table", "x"), "s3://plant/x is an address, and a table is written as a file of this machine; name"),
        (ANY, "s3://plant/x is an address, and a file is written as a file of this machine; name a file, and copy it"),
    ],
)
def test_what_is_written_as_a_file_is_refused_at_an_address(kind: Kind, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Outputs([]).claim(Path("s3://plant/x"), kind)


def test_a_folder_that_is_written_into_is_one_of_this_machine(tmp_path: Path, run_cli: RunCli) -> None:
    words = "s3://plant/x is an address, where a folder of this machine is wanted; name one."
    with pytest.raises(OptionError, match=words):
        Outputs([]).claim_below(Path("s3://plant/x"), [Path("s3://plant/x/1.png")], ANY)
    with pytest.raises(OptionError, match=words):
        blemish.fit(tmp_path, spill_folder="s3://plant/x")
    outcome = run_cli("serve", "s3://plant/x")
    assert outcome.code == 2
    assert words in outcome.stderr


def test_local_images_take_no_pyarrow(tmp_path: Path) -> None:
    save_image(tmp_path / "1.png", good_part(1, 40, 48))
    code = (
        "import sys; from blemish.images.files import find_images; from blemish.images.read import read_image\n"
        f"read_image(find_images({str(tmp_path)!r}).images[0]); assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
