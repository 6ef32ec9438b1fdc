"""Calls that nobody would make: the whole description as every role, damaged pictures, bombs, a thousand at once.

PYTHONPATH=tests:benchmarks python tests/campaigns/station_fuzz.py --schemathesis .../bin/schemathesis --keep

Schemathesis is not among the packages of this project: install it into an environment of its own. No answer may be 5xx
but for those that the description names, and none may have a status that it does not name. A damaged PNG may be judged
only where its pixels are those of the sound one, by two decoders, and then with its score: these are counted apart.
Memory is that of the station, a process of its own. What was found is written after every step; --short takes a few
minutes.
"""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from machine import markdown_table, publish
from parts import TINY, good_part, scratched_part
from station_bench import API, encoded
from station_process import Served, prepared

from blemish.fitting import fit
from blemish.service.people.access import ROLES, SCOPES
from campaigns.station_sent import bombed, damaged_pictures, many_at_once

__all__ = ["described_calls", "granted", "taught"]

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
LEFT_OUT = (f"{API}/events", f"{API}/logout")
"""A stream that does not end, and what would end the session of all later calls."""
FIRST, MOST = 20, 20_000
"""Faults that are told one by one, and characters of each."""


@dataclass
class _Kept:
    """What was found so far; it is published after every step, so that nothing is lost where a later one breaks off."""

    name: str
    seed: int
    keep: bool
    rows: list[list[str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, rows: Sequence[list[str]], wrong: Sequence[str]) -> None:
        self.rows += rows
        self.wrong += wrong
        faults = "\n".join(f"```text\n{each}\n```" for each in self.wrong[:FIRST])
        body = f"{__doc__}\n{markdown_table(['', ''], self.rows)}\n{faults}"
        results = Path(__file__).parent / "results"
        publish(self.name, body, seed=self.seed, keep=self.keep, results=results)


@contextmanager
def taught() -> Iterator[Served]:
    """A station with the recipe `part` on line, and two parts judged, one OK and one NG."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fit([good_part(each) for each in range(8)], threads=1, **TINY).save(folder / "model.blemish")
        served = Served(folder / "station", prepared(folder / "station", {"part": [folder / "model.blemish"]}))
        try:
            with served.client() as client:
                for pixels in (good_part(100), scratched_part(102).grey):
                    png, kind = encoded(pixels), {"Content-Type": "image/png"}
                    client.post(f"{API}/recipes/part/inspections", content=png, headers=kind).raise_for_status()
            yield served
        finally:
            served.stop()


def granted(served: Served, grant: str) -> str:
    """The header by which a call is made as a role, or with a scope."""
    with served.client() as client:
        if grant in SCOPES:
            token = client.post(f"{API}/tokens", json={"name": grant, "scope": grant}).raise_for_status().json()
            return f"Authorization: Bearer {token['secret']}"
        user = {"name": grant, "password": "a long password"}
        client.post(f"{API}/users", json=user | {"role": grant}).raise_for_status()
    with httpx.Client(base_url=served.address, trust_env=False) as visitor:
        answer = visitor.post(f"{API}/login", json=user).raise_for_status()
        return f"Cookie: blemish_session={answer.cookies['blemish_session']}"


def described_calls(served: Served, program: str, grant: str, examples: int, seed: int) -> tuple[int, list[str]]:
    """Let schemathesis make calls up from the description, as a role or scope: how many, and what it found wrong.

    Half of them are made with the names of what is there.
    """
    header, calls, wrong = granted(served, grant), 0, []
    with tempfile.TemporaryDirectory() as folder:
        for known in ("", _known(served)):
            Path(folder, "schemathesis.toml").write_text(known, "utf-8")
            words = [program, "run", f"{served.address}{API}/openapi.json", "--header", header, "--checks", CHECKS]
            words += ["--max-examples", str(examples), "--seed", str(seed), "--phases", "coverage,fuzzing"]
            words += [word for path in LEFT_OUT for word in ("--exclude-path", path)]
            words += ["--continue-on-failure", "--no-shrink", "--request-timeout", "120"]
            words += ["--suppress-health-check", "all", "--warnings", "off", "--no-color", "--output-sanitize", "false"]
            said = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
            found = re.search(r"([\d,]+) generated", said.stdout)
            calls += int(found[1].replace(",", "")) if found else 0
            if said.returncode or not found:
                wrong.append(f"as {grant}: {(said.stdout + said.stderr)[-MOST:]}")
    return calls, wrong


def _known(served: Served) -> str:
    """Names of what is there, for the places in addresses."""
    with served.client() as client:
        listed = client.get(f"{API}/inspections").json()["items"]
    names = {"recipe": '"part"', "version": '"1"', "inspection": f'"{listed[0]["id"]}"', "place": "0"}
    return "[parameters]\n" + "".join(f'"path.{name}" = {value}\n' for name, value in names.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schemathesis", help="the program; without it, no calls are made up from the description")
    parser.add_argument("--examples", type=int, default=30, help="calls of each route and role, about")
    parser.add_argument("--damaged", type=int, default=10_000, help="damaged pictures")
    parser.add_argument("--at-once", type=int, default=1_000, help="pictures that are dropped at once")
    parser.add_argument("--short", action="store_true", help="200 damaged pictures, 100 at once, 3 calls")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result below tests/campaigns/results")
    given = parser.parse_args()
    if given.short:
        given.damaged, given.at_once, given.examples = 200, 100, 3
    kept = _Kept("station_fuzz" if given.schemathesis else "station_sent", given.seed, given.keep)
    with taught() as served:
        kept.add(*bombed(served))
        kept.add(*many_at_once(served, given.at_once))
        kept.add(*damaged_pictures(served, given.damaged, given.seed))
    for grant in (*ROLES, *SCOPES) if given.schemathesis else ():
        with taught() as served:  # a new one each time: who may do everything also takes things away
            calls, wrong = described_calls(served, given.schemathesis, grant, given.examples, given.seed)
        kept.add([[f"made-up calls as {grant}, and runs with a fault", f"{calls:,}, {len(wrong)}"]], wrong)
    raise SystemExit(1 if kept.wrong else 0)


if __name__ == "__main__":
    main()
