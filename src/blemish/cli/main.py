"""The `blemish` command: its subcommands, and how it ends (0 all OK, 1 something NG, 3 REVIEW, 2 error or usage)."""

import sys
from typing import NoReturn

import typer

from blemish.cli import backbone, demo, evaluate, fit, info, inspect
from blemish.cli.console import fail
from blemish.errors import BlemishError

__all__ = ["app", "main"]

app = typer.Typer(
    name="blemish",
    help="Learns what a good part looks like from images of good parts alone; finds, scores and outlines deviations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("fit")(fit.fit)
app.command("inspect")(inspect.inspect)
app.command("evaluate")(evaluate.evaluate)
app.command("info")(info.info)
app.command("doctor")(info.doctor)
app.command("demo")(demo.demo)
app.add_typer(backbone.app, name="backbone")


def main() -> NoReturn:
    """Run the command; what goes wrong for the user is one sentence on stderr and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # Consoles that cannot print a character show a substitute instead of failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except BlemishError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("Stopped; what was already written is whole.")
    except BrokenPipeError:
        fail("Stopped: whoever read the output went away.")
    except OSError as error:
        fail(f"{error.filename or 'The system'}: {error.strerror or error}; nothing half-written is left.")
    raise AssertionError("the command ends by raising SystemExit")
