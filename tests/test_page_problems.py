"""Where a page cannot be shown, people read why, in their language; programs get what RFC 9457 has."""

import re
from collections.abc import Iterator

import pytest
from station_bench import Bench, opened

from blemish.language.translation import translated
from blemish.service.problems import KINDS
from blemish.service.store.users import add_session, add_user

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
ADDRESSES = {
    "/recipes/nothing/versions": ("unknown-recipe", 404, "/recipes"),
    "/recipes/part/versions/9": ("unknown-id", 404, "/recipes"),
    "/results/nothing": ("unknown-id", 404, "/history"),
    "/nowhere": ("not-found", 404, "/"),
    "/history?cursor=x": ("invalid", 422, "/"),
    "/settings/audit": ("forbidden", 403, "/"),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station")) as bench:
        bench.recipe("part")
        yield bench


@pytest.fixture(scope="module")
def cookies(bench: Bench) -> dict[str, str]:
    """Of a viewer in each language."""
    write = bench.station.store.write
    made = {}
    for lang in ("en", "ja"):
        values = {"name": lang, "role": "viewer", "lang": lang, "password": None}
        user = write(lambda each, values=values: add_user(each, "test", **values))  # type: ignore[misc]
        made[lang] = f"blemish_session={write(lambda each, user=user: add_session(each, user['id']))}"  # type: ignore[misc]
    return made


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_browser_gets_a_page_that_says_what_to_do(
    bench: Bench, cookies: dict[str, str], address: str, lang: str
) -> None:
    name, status, leads = ADDRESSES[address]
    answer = bench.client(Cookie=cookies[lang], **BROWSER).get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f'<html lang="{lang}">' in answer.text
    title = KINDS[name].title if lang == "en" else translated(KINDS[name].title)
    assert f"<h1>{title}</h1>" in answer.text
    assert f'class="button main" href="{leads}"' in answer.text
    detail = re.search(r'<p class="warning" role="alert">([^<]+)</p>\s*<p>', answer.text)
    assert detail
    assert bool(JAPANESE.search(detail[1])) == (lang == "ja"), detail[1]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_program_gets_a_problem_in_json(bench: Bench, cookies: dict[str, str], address: str) -> None:
    name, status, _ = ADDRESSES[address]
    answer = bench.client(Cookie=cookies["ja"]).get(address)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/errors/{name}")
    api = bench.client(Cookie=cookies["ja"], **BROWSER).get("/api/v1/recipes/nothing")
    assert api.json()["type"] == "/errors/unknown-recipe"


def test_each_kind_of_problem_has_its_page_in_both_languages(bench: Bench) -> None:
    for lang in ("en", "ja"):
        visitor = bench.client(**{"Accept-Language": lang})
        for name, kind in KINDS.items():
            answer = visitor.get(f"/errors/{name}")
            assert answer.status_code == 200
            assert (kind.title in answer.text) == (lang == "en"), name
            assert f'<html lang="{lang}">' in answer.text
    assert all(JAPANESE.search(translated(text)) for kind in KINDS.values() for text in (kind.title, kind.remedy))
    assert bench.client(**BROWSER).get("/errors/nothing").status_code == 404
