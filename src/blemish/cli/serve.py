"""blemish serve: a station; blemish audit: who changed what in it."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.commands import CommandLine
from blemish.cli.console import fail, say

__all__ = ["audit", "serve"]

audit = CommandLine(help="Who changed what in a station.")
Data = Annotated[Path, typer.Argument(help="The station's folder.")]


def serve(
    data: Annotated[Path, typer.Argument(help="The station's folder; it is made where there is none.")],
    host: Annotated[
        str | None, typer.Option(help="Address to listen at; 127.0.0.1 by default. Others need a password first.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen at; 8765 by default, 0 for any that is free.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate for https, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    link: Annotated[bool, typer.Option("--link", help="Print a login link for an engineer, which works once.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Start with an empty database though the folder holds pictures.")
    ] = False,
    trust_clock: Annotated[
        bool,
        typer.Option("--trust-clock", help="The clock is right, though it is far ahead of what was recorded last."),
    ] = False,
) -> None:
    """Run a station: teach, judge and correct over HTTP and in a browser. Needs pip install 'blemish[serve]'."""
    _check_installed()
    from blemish.service.serving import serve as serve_station
    from blemish.system.outputs import check_here

    check_here(data)
    files = {"tls_cert": tls_cert and str(tls_cert), "tls_key": tls_key and str(tls_key)}
    serve_station(data, host=host, port=port, adopt=adopt, link=link, trust_clock=trust_clock, say=_print, **files)


@audit.command("verify")
def verify(
    data: Data,
    expect: Annotated[
        str | None, typer.Option(help="Hash that an earlier run printed: its row must still be there.")
    ] = None,
) -> None:
    """Check that no row of the audit log was changed, added between others, or taken out."""
    _check_installed()
    from blemish.service.store.audit import verify_folder

    found = verify_folder(data, expect)
    if found.wrong is not None:
        fail(f"{data}: row {found.wrong} of the audit log is not what was written.")
    if expect is not None and not found.expected:
        fail(f"{data}: no row of the audit log has the hash {expect}; rows were taken from its end.")
    print(f"{found.rows} rows, none changed. The last hash is {found.head or 'none'}")
    say("Keep that hash elsewhere: --expect HASH then also finds rows that were taken from the end.")


def _check_installed() -> None:
    from importlib.util import find_spec

    for package in ("fastapi", "uvicorn", "httptools", "multipart", "jinja2", "prometheus_client"):
        if find_spec(package) is None:
            fail("A station needs more packages: pip install 'blemish[serve]'.")


def _print(line: str) -> None:
    print(line, flush=True)
