"""HTML as values: what is text is escaped, whatever it is."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blemish.errors import DataError
from blemish.reports.html import LONGEST_SIDE, Html, element, facts, json_data, picture, table, write_page_file


class Reader(HTMLParser):
    """What a browser would see: tags, and text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(alphabet=st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_text_comes_back_as_text(text: str) -> None:
    read = Reader(element("p", text, title=text))
    assert read.tags == ["p"]
    assert read.text == text
    assert read.attributes == [("title", text)]


def test_elements() -> None:
    assert element("p", "a", None, 1, class_="x", hidden=True, title=None, data_out="y", open=False) == (
        '<p class="x" hidden data-out="y">a1</p>'
    )
    assert element("img", alt='a "b"') == '<img alt="a &quot;b&quot;">'
    assert element("p", Html("<b>"), "<b>") == "<p><b>&lt;b&gt;</p>"
    assert facts([("a", 1)]) == "<dl><div><dt>a</dt><dd>1</dd></div></dl>"
    assert '<th scope="row">&lt;x&gt;</th><td>2</td>' in table(["a", "b"], [("<x>", 2)])


def test_values_for_a_script_cannot_end_it() -> None:
    values = {"</script><script>alert(1)</script>": [1.5, None]}
    written = json_data("scores", values)
    (content,) = re.findall(r"^<script[^>]*>(.*)</script>$", written)
    assert "<" not in content
    assert json.loads(content) == values


def test_pictures_hold_their_pixels_at_a_bounded_size() -> None:
    drawn = picture(np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8), "a <b>")
    (encoded,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', drawn)
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        assert image.size == (LONGEST_SIDE, LONGEST_SIDE * 3 // 4)
    assert len(drawn) < 130_000, "even noise, which compresses worst"
    assert 'alt="a &lt;b&gt;"' in drawn


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"page\.html cannot be written: No such file or directory"):
        write_page_file(tmp_path / "absent" / "page.html", "title")
