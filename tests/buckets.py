"""A bucket for tests, on a server of S3 that runs on this machine (`pip install "moto[s3]" flask flask-cors`)."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

SERVER = (
    os.environ.get("BLEMISH_MOTO_SERVER")
    or shutil.which("moto_server", path=Path(sys.executable).parent)
    or shutil.which("moto_server")
)
NEEDS_SERVER = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed (extra ray)"),
    pytest.mark.skipif(SERVER is None, reason="moto_server is not installed (BLEMISH_MOTO_SERVER names it elsewhere)"),
]
KNOWN = {
    "AWS_ACCESS_KEY_ID": "plant",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-plant",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Who one is to a bucket is said by the environment, never by an option."""


class Server(NamedTuple):
    """A running server that holds the bucket `plant`."""

    host: str
    """127.0.0.1:PORT."""
    log: Path
    """Each request in a line."""

    def place(self, name: str) -> str:
        """An address that says how the server is reached."""
        return f"s3://{name}?scheme=http&region=us-east-1&endpoint_override={self.host}"

    @property
    def environment(self) -> dict[str, str]:
        """What lets s3://plant be reached without that."""
        return {**KNOWN, "AWS_ENDPOINT_URL": f"http://{self.host}"}

    def requests(self, ending: str) -> Counter[str]:
        """How often objects of this ending were asked for since the last time, by method; forgets the others."""
        lines = self.log.read_text("utf-8").splitlines()
        self.log.write_text("")
        asked = (line.split(" ", 1) for line in lines)
        return Counter(method for method, what in asked if what.partition("?")[0].endswith(ending))


@contextmanager
def serving(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a server; `folder` is for its log, and `environment` what it is told beside ours."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        server = Server(f"127.0.0.1:{free.getsockname()[1]}", folder / "requests.txt")
    script, port = Path(__file__).with_name("bucket_server.py"), server.host.partition(":")[2]
    running = subprocess.Popen(
        [Path(str(SERVER)).with_name("python"), script, port, server.log],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | (environment or {}),
    )
    try:
        _wait_for(int(port), running)
        urlopen(Request(f"http://{server.host}/plant", method="PUT")).close()
        yield server
    finally:
        running.terminate()
        running.wait()


def _wait_for(port: int, running: "subprocess.Popen[bytes]") -> None:
    while running.poll() is None:
        with closing(socket.socket()) as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server ended")


def put(server: Server, name: str, content: bytes) -> None:
    """Write an object of the bucket, past blemish."""
    with _files(server).open_output_stream(f"plant/{name}") as file:
        file.write(content)


def delete(server: Server, name: str) -> None:
    """Delete an object of the bucket, past blemish."""
    _files(server).delete_file(f"plant/{name}")


def _files(server: Server) -> Any:
    from pyarrow import fs

    secret = KNOWN["AWS_SECRET_ACCESS_KEY"]
    return fs.S3FileSystem(
        access_key=KNOWN["AWS_ACCESS_KEY_ID"], secret_key=secret, scheme="http", endpoint_override=server.host
    )


def fill(server: Server, folder: Path, name: str) -> None:
    """Copy all files of a folder into the bucket, below this name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            put(server, f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
