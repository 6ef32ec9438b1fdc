"""A server of S3 for tests: moto's, of which each request is written down.

    python tests/bucket_server.py PORT LOG

It runs in the environment of moto, which may be another than that of the tests, and imports nothing of them.
"""

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

ANSWER = b"CompleteMultipartUploadRes"


class Written:
    """The application, behind what writes down each request and mends one answer."""

    def __init__(self, application: Callable[..., Iterable[bytes]], log: Path) -> None:
        self._application, self._log = application, log

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}\n")
        if environ["REQUEST_METHOD"] != "POST" or "uploadId=" not in environ["QUERY_STRING"]:
            return self._application(environ, start)
        # moto 5.2.1 calls the element ...Response, which the client of pyarrow takes for an error.
        begun: list[Any] = []
        body = b"".join(self._application(environ, lambda *given: begun.extend(given)))
        body = body.replace(ANSWER + b"ponse", ANSWER + b"ult")
        headers = [(name, value) for name, value in begun[1] if name.lower() != "content-length"]
        start(begun[0], [*headers, ("Content-Length", str(len(body)))])
        return [body]


def main(port: int, log: Path) -> None:
    """Serve until ended."""
    moto, werkzeug = import_module("moto.moto_server.werkzeug_app"), import_module("werkzeug.serving")
    application = Written(moto.DomainDispatcherApplication(moto.create_backend_app), log)
    werkzeug.run_simple("127.0.0.1", port, application, threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
