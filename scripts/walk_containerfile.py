"""Walk the steps of examples/station/Containerfile by hand, where no image can be built of it (Debian, as root).

PYTHONPATH=tests .venv/bin/python scripts/walk_containerfile.py

This machine stands for the base image: a layer above its root takes what the steps write, and is gone afterwards. Then
the station runs as `podman run --read-only --tmpfs /tmp --cap-drop all` would run it: the root is read-only, /tmp is in
memory, /data is a folder, the user is nobody without any capability, and the network is a loopback of its own.
Needs the packages of `make .venv/ready`; python3 and python3-venv of Debian 12 are the container's Python.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from parts import good_part, scratched_part
from station_bench import API, SETTINGS, encoded, wait_for

REPOSITORY = Path(__file__).parent.parent
FILE = REPOSITORY / "examples" / "station" / "Containerfile"
ADDRESS = "http://127.0.0.1:8765"
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENDS_WITHIN = 10
"""Seconds that podman gives a container to end."""
PASSWORD = "a long password"


def instructions() -> list[tuple[str, str]]:
    """The steps of the file: each a word and what follows it."""
    lines = [line for line in FILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in joined.splitlines() if line.strip()]


class Walked:
    """A root that the steps have been done in, and how it is to be run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env: dict[str, str] = {}
        self.user = "0:0"
        self.health: list[str] = []
        self.entry: list[str] = []
        self.command: list[str] = []
        for word, rest in instructions():
            print(f"  {word} {rest}", flush=True)
            self._step(word, rest)

    def _step(self, word: str, rest: str) -> None:
        if word == "RUN":
            env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
            words = ["chroot", str(self.root), "sh", "-euc", rest]
            subprocess.run(words, check=True, env=env | {"PATH": PLACES}, stdout=sys.stderr)
        elif word == "COPY" and "--from" not in rest:
            pattern, place = rest.split()
            target = self.root / place.lstrip("/")
            target.mkdir(parents=True)
            for path in REPOSITORY.glob(pattern):
                shutil.copy(path, target)
        elif word == "ENV":
            self.env |= dict([rest.split("=", 1)])
        elif word == "USER":
            self.user = rest
        elif word == "HEALTHCHECK":
            self.health = json.loads(rest[rest.index("[") :])
        elif word == "ENTRYPOINT":
            self.entry = json.loads(rest)
        elif word == "CMD":
            self.command = json.loads(rest)
        elif word not in ("FROM", "COPY", "VOLUME", "EXPOSE"):  # one root is both stages
            raise SystemExit(f"{word} is not known here.")

    def words(self, command: list[str]) -> list[str]:
        """A command as the container runs it."""
        user, group = self.user.split(":")
        no = ["--clear-groups", "--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all"]
        told = [f"{name}={value}" for name, value in self.env.items()]
        own = ["setpriv", "--reuid", user, "--regid", group, *no, "env", "-i", f"PATH={PLACES}", *told]
        return ["chroot", str(self.root), *own, *command]


@contextmanager
def layer(folder: Path) -> Iterator[Path]:
    """A root that shows this machine's, and keeps apart what is written to it."""
    root, above = folder / "root", folder / "above"
    root.mkdir()
    above.mkdir()
    _mount("-t", "tmpfs", "above", str(above))
    for name in ("written", "work"):
        (above / name).mkdir()
    dirs = f"lowerdir=/,upperdir={above}/written,workdir={above}/work"
    _mount("-t", "overlay", "-o", dirs, "overlay", str(root))
    for name in ("proc", "dev"):
        _mount("--rbind", f"/{name}", str(root / name))
    (root / "usr/local/bin/python").unlink(missing_ok=True)
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    yield root


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@contextmanager
def running(walked: Walked, *command: str) -> Iterator[tuple[int, str]]:
    """The container with other words than its own, if any; its process, and what it said until it answered."""
    words = walked.words([*walked.entry, *(command or walked.command)])
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-", *words]
    with subprocess.Popen(inside, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if said and "--host" in command and "127.0.0.1" in command:
            said += process.stdout.readline()
        try:
            yield process.pid, said
        finally:
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            code = process.wait(ENDS_WITHIN)
            print(f"asked to end, it ended with {code} after {time.monotonic() - began:.1f} s")


def inside(pid: int, words: list[str]) -> str:
    """What a command says that runs in the network of the container."""
    entered = ["nsenter", "--target", str(pid), "--net", *words]
    said = subprocess.run(entered, capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"{words} failed: {said.stdout}{said.stderr}")
    return said.stdout.strip()


def healthy(walked: Walked, pid: int) -> None:
    """Wait until the container's own check is content, as long as its start period."""
    until = time.monotonic() + 60
    words = ["nsenter", "--target", str(pid), "--net", *walked.words(walked.health)]
    while subprocess.run(words, capture_output=True, check=False).returncode:
        if time.monotonic() > until:
            raise SystemExit("the health check is not content")
        time.sleep(0.2)
    print("HEALTHCHECK is content")


def looked_at(walked: Walked, pid: int) -> None:
    """Who the process is, and what it may write."""
    status = Path(f"/proc/{pid}/status").read_text()
    for name in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs"):
        found = re.search(rf"^{name}:\s*(.*)$", status, re.MULTILINE)
        assert found
        print(f"{name}: {' '.join(found[1].split())}")
    for place in ("/", "/opt/blemish", "/etc", "/tmp", "/data"):
        tried = subprocess.run(walked.words(["touch", f"{place}/tried"]), capture_output=True, text=True, check=False)
        print(f"{place}: {'written' if tried.returncode == 0 else tried.stderr.strip().rpartition(': ')[2]}")
        if (tried.returncode == 0) != (place in ("/tmp", "/data")):
            raise SystemExit(f"{place} is not as it should be")


def first_product(link: str) -> None:
    """In the network of the container: log in by the link, set a password, teach, judge."""
    with httpx.Client(
        base_url=ADDRESS, trust_env=False, timeout=60, headers={"Sec-Fetch-Site": "same-origin"}
    ) as client:
        client.get(link, follow_redirects=True).raise_for_status()
        user = {"name": "worker", "role": "engineer", "password": PASSWORD}
        client.post(f"{API}/users", json=user).raise_for_status()
        client.post(f"{API}/recipes", json={"name": "part", "settings": SETTINGS}).raise_for_status()
        files = [("images", (f"{n}.png", encoded(good_part(n)), "image/png")) for n in range(8)]
        client.post(f"{API}/recipes/part/images", files=files).raise_for_status()
        asked = {"kind": "fit", "promote": True}
        job = client.post(f"{API}/recipes/part/versions", json=asked).raise_for_status().json()
        print("taught:", wait_for(client, job["id"])["state"])
        _judge(client)


def again() -> None:
    """After a restart, open to others: log in by the password, and judge."""
    with httpx.Client(
        base_url=ADDRESS, trust_env=False, timeout=60, headers={"Sec-Fetch-Site": "same-origin"}
    ) as client:
        client.post(f"{API}/login", json={"name": "worker", "password": PASSWORD}).raise_for_status()
        _judge(client)
        print("parts in the history:", len(client.get(f"{API}/inspections").json()["items"]))


def _judge(client: httpx.Client) -> None:
    for pixels in (good_part(100), scratched_part(102).grey):
        png = {"Content-Type": "image/png"}
        answer = client.post(f"{API}/recipes/part/inspections", content=encoded(pixels), headers=png)
        print("judged:", answer.raise_for_status().json()["verdict"])


def walk(folder: Path) -> None:
    """In a mount namespace of its own: build, and run as the file's comments say."""
    with layer(folder) as root:
        print("steps:")
        walked = Walked(root)
        _mount("-o", "remount,ro", str(root))
        _mount("-t", "tmpfs", "-o", "mode=1777", "tmp", str(root / "tmp"))
        volume = folder / "volume"
        volume.mkdir()
        os.chown(volume, *map(int, walked.user.split(":")))
        _mount("--bind", str(volume), str(root / "data"))
        refused = subprocess.run(walked.words([*walked.entry, *walked.command]), capture_output=True, text=True)
        print("open to others before anybody has a password:", refused.returncode, refused.stderr.strip())
        own = [sys.executable, __file__]
        with running(walked, "--host", "127.0.0.1") as (pid, said):
            healthy(walked, pid)
            looked_at(walked, pid)
            link = re.search(r"http://\S+/login/once\S+", said)
            assert link, said
            print(inside(pid, [*own, "--first-product", link.group()]))
        with running(walked) as (pid, _):
            healthy(walked, pid)
            print(inside(pid, [*own, "--again"]))
        print("in /data:", " ".join(sorted(path.name for path in volume.iterdir())))


def main() -> None:
    if "--first-product" in sys.argv:
        first_product(sys.argv[-1])
    elif "--again" in sys.argv:
        again()
    elif "--walk" in sys.argv:
        walk(Path(sys.argv[-1]))
    else:
        made = not (REPOSITORY / "dist").exists()
        subprocess.run([sys.executable, "-m", "build", "--wheel", str(REPOSITORY)], check=True, stdout=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="container-") as folder:
            private = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, "--walk", folder]
            code = subprocess.run(private, check=False).returncode
        if made:
            shutil.rmtree(REPOSITORY / "dist")
        raise SystemExit(code)


if __name__ == "__main__":
    main()
