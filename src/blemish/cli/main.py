"""The `blemish` command: its subcommands, and how it ends (0 all OK, 1 something NG, 3 REVIEW, 2 error or usage)."""

import os
import sys
import warnings
from typing import Annotated, Any, NoReturn, TextIO

import typer

from blemish.cli import (
    adapt,
    backbone,
    calibrate,
    demo,
    doctor,
    evaluate,
    export,
    feedback,
    fit,
    info,
    inspect,
    report,
    reproduce,
    scan,
    serve,
    sign,
    tune,
)
from blemish.cli.commands import CommandLine, Group, LogFile, Quiet, Verbose, claim_log
from blemish.cli.console import fail, give_up_output, listen, speak
from blemish.cli.ending import Stopped, open_missing_streams, stopping_on_signals
from blemish.cli.language import Lang
from blemish.errors import BlemishError

__all__ = ["app", "main"]


class _Commands(Group):
    """What goes wrong for the user is one sentence on stderr and exit code 2, never a traceback.

    It is caught here because Typer would end a stop (130) and a closed pipe (1, which means NG) by codes of its own.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            listen(args)
            return super().parse_args(ctx, args)
        except BlemishError as error:
            fail(str(error))

    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BlemishError as error:
            fail(str(error))
        except Stopped as signal:
            fail(f"Stopped by {signal}; what was already written is whole.")
        except KeyboardInterrupt:
            fail("Stopped; what was already written is whole.")
        except BrokenPipeError:
            give_up_output()
            fail("Stopped: the program that read the output has ended.")
        except MemoryError:
            fail("There is not enough memory for this; fit on fewer or smaller images (--size, --coreset).")
        except OSError as error:
            give_up_output()
            fail(f"{error.filename or 'The output'}: {error.strerror or error}.")


app = CommandLine(
    cls=_Commands,
    name="blemish",
    help="Learns what a good part looks like from images of good parts alone; finds, scores and outlines deviations.",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"blemish {version('blemish')}")
        raise typer.Exit


@app.callback()
def _begin(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_file: LogFile = None,
    lang: Lang = None,
) -> None:
    claim_log(log_file)
    speak(quiet=quiet, verbose=verbose, log_file=log_file)


app.command("fit")(fit.fit)
app.command("scan")(scan.scan)
app.command("tune")(tune.tune)
app.command("adapt")(adapt.adapt)
app.command("inspect")(inspect.inspect)
app.command("calibrate")(calibrate.calibrate)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("reproduce")(reproduce.reproduce)
app.command("export")(export.export)
app.command("info")(info.info)
app.command("sign")(sign.sign)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.add_typer(feedback.app, name="feedback")
app.add_typer(backbone.app, name="backbone")
app.add_typer(serve.audit, name="audit")


def main() -> NoReturn:
    """Run the command and end with its exit code."""
    open_missing_streams()
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        # Consoles that cannot print a character show a substitute instead of failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    with stopping_on_signals(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of EXIF that nobody asked for; they name no file
        app()
    raise AssertionError("the command ends by raising SystemExit")


def _nowhere() -> TextIO:
    """A stream for what nobody reads."""
    return open(os.devnull, "w", encoding="utf-8")
