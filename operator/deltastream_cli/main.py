"""The commands and options, and the exit codes."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deltastream_cli import errors
from deltastream_cli.adapters import gateway as rest
from deltastream_cli.adapters.credentials import Credentials, folder
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.commands import export as exporting
from deltastream_cli.commands import importing, reads, sources
from deltastream_cli.commands import login as logging_in
from deltastream_cli.domain.imports import Wanted
from deltastream_cli.domain.reports import Report
from deltastream_cli.options import Files, Form, Format, Kinds, Output, Product, Window

CODES = """Exit codes: 0 done; 1 failed; 2 wrong arguments; 3 refused, a login or a right is missing;
4 the system or a part of it is unavailable; 5 no such product or data; 130 interrupted."""
app = typer.Typer(
    help=f"Read a running DeltaStream system.\n\n{CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


@dataclass(frozen=True)
class Call:
    """The options of all commands."""

    url: str

    def gateway(self) -> rest.Gateway:
        return rest.Gateway(self.url, Credentials(folder()))


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            help="URL of the API gateway; default DELTASTREAM_URL, or else a local run's", metavar="URL"
        ),
    ] = None,
) -> None:
    """Keep the options of all commands."""
    context.obj = Call(url or rest.default_url())


@app.command()
def status(context: typer.Context, output: Form = Output.TEXT) -> None:
    """Show whether the system and its parts answer, and which products have data."""
    with _ends(output) as screen:
        _finish(screen, reads.status(context.obj.gateway()))


@app.command()
def feeds(context: typer.Context, output: Form = Output.TEXT) -> None:
    """Show every feed: its replicas as ready/desired, its load and the operator's last decision."""
    with _ends(output) as screen:
        _finish(screen, reads.feeds(context.obj.gateway()))


@app.command()
def chain(
    context: typer.Context,
    product: Product,
    expiry: Annotated[
        str | None, typer.Argument(help="YYYY-MM-DD; default: the nearest", metavar="[EXPIRY]")
    ] = None,
    strikes: Annotated[int, typer.Option(min=0, help="strikes on each side of the money; 0 shows all")] = 8,
    output: Form = Output.TEXT,
) -> None:
    """Show the newest option chain. A missing number names its reason below the table."""
    with _ends(output) as screen:
        _finish(screen, reads.chain(context.obj.gateway(), product, expiry, strikes))


@app.command()
def tail(
    context: typer.Context,
    product: Product,
    socket_url: Annotated[
        str | None,
        typer.Option(
            envvar="DELTASTREAM_SOCKET_URL",
            help="URL of the Socket.IO gateway; default: as the API gateway says, or its port 8002",
            metavar="URL",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="end after this number of events")] = None,
    output: Form = Output.TEXT,
) -> None:
    """Follow a product live: a table in a terminal, one line per event elsewhere. Ctrl-C ends."""
    with _ends(output) as screen:
        from deltastream_cli.commands import tail as following  # its Socket.IO client takes long to load

        following.tail(context.obj.gateway(), screen, product, url=socket_url, count=count)


@app.command()
def record(
    context: typer.Context,
    feed: Annotated[str, typer.Argument(help="feed, such as nifty-replay", metavar="FEED")],
    file: Annotated[Path, typer.Option("--out", help="the recording, a Parquet file", metavar="FILE")],
    count: Annotated[
        int | None, typer.Option(min=1, help="end with this many messages, or a page more")
    ] = None,
    output: Form = Output.TEXT,
) -> None:
    """Record a feed's messages while they pass. Ctrl-C ends; after a kill the same command continues."""
    with _ends(output) as screen:
        from deltastream_cli.commands import record as recording

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends it as Ctrl-C does
        gateway = context.obj.gateway()
        _finish(screen, recording.record(gateway, screen, feed, file, count=count, sleep=time.sleep))


@app.command()
def export(
    context: typer.Context,
    product: Product,
    kind: Annotated[Kinds | None, typer.Option(help="what to export")] = None,
    as_recording: Annotated[
        bool, typer.Option("--as-recording", help="everything, as a file that a feed can replay")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option("--from", help="earliest event time, inclusive, UTC without offset", metavar="TIME"),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="latest event time, inclusive; default: now", metavar="TIME")
    ] = None,
    window: Annotated[Window, typer.Option(help="length of bars in minutes")] = Window.ONE,
    format: Annotated[Format, typer.Option(help="format of the file")] = Format.CSV,
    file: Annotated[
        Path | None, typer.Option("--output-file", "-f", help="default: PRODUCT-KIND.FORMAT", metavar="FILE")
    ] = None,
    output: Form = Output.TEXT,
) -> None:
    """Write stored data to a file, oldest first. After an interruption the same command continues."""
    with _ends(output) as screen:
        if as_recording == (kind is not None):
            raise errors.UsageError("give --kind or --as-recording, one of the two")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        gateway, name = context.obj.gateway(), product.replace("/", "_")
        try:
            if kind is None:
                from deltastream_cli.commands.export_recording import export_recording

                target = file or Path(f"{name}.parquet")
                report = export_recording(
                    gateway, screen, product, target, start=start, end=end, now=now, sleep=time.sleep
                )
            else:
                wanted = exporting.Wanted(product, kind.value, start, end, int(window.value), format.value)
                target = file or Path(f"{name}-{kind.value}.{format.value}")
                report = exporting.export(gateway, screen, wanted, target, now=now, sleep=time.sleep)
            _finish(screen, report)
        except KeyboardInterrupt:
            screen.note("interrupted: the same command continues")
            raise


@app.command("check-source")
def check_source(
    file: Annotated[Path, typer.Argument(help="YAML of the feed", metavar="FEED.yaml")],
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="how long to count")] = 10,
    output: Form = Output.TEXT,
) -> None:
    """Connect to a feed's live source, count what comes, and end. It needs no running system."""
    with _ends(output) as screen:
        _finish(screen, sources.check(screen, file, seconds))


@app.command("import")
def import_(
    files: Annotated[
        list[str],
        typer.Argument(help="files or folders; together they make one recording", metavar="FILE..."),
    ],
    out: Annotated[str, typer.Option(help="the recording, a .csv file", metavar="REC")],
    format: Annotated[Files, typer.Option(help="format of the files")] = Files.AUTO,
    as_of: Annotated[
        str | None, typer.Option(help="time of prices that have none, RFC 3339 with zone", metavar="TIME")
    ] = None,
    spot: Annotated[
        float | None, typer.Option(min=1e-9, max=1e9, help="spot of files without it; default: from parity")
    ] = None,
    expiry: Annotated[
        str | None, typer.Option(help="expiry of contracts that have none, YYYY-MM-DD", metavar="DATE")
    ] = None,
    product: Annotated[
        list[str] | None, typer.Option(help="the product of files that do not state it; others are refused")
    ] = None,
    group_millis: Annotated[
        int | None, typer.Option(min=0, max=3_600_000, help="rows within this time make one snapshot")
    ] = None,
    output: Form = Output.TEXT,
) -> None:
    """Convert files that you have to a recording, and report every kind of problem in them."""
    with _ends(output) as screen:
        wanted = Wanted(
            files=files,
            out=out,
            format=format.value,
            as_of=as_of,
            spot=spot,
            expiry=expiry,
            products=product or (),
            group_millis=group_millis,
        )
        _finish(screen, importing.convert(screen, wanted))


@app.command()
def convert(
    recording: Annotated[Path, typer.Argument(help="a recording, a Parquet file", metavar="RECORDING")],
    target: Annotated[
        Path,
        typer.Argument(help="the file to replay, such as day.messages.gz", metavar="FILE"),
    ],
    output: Form = Output.TEXT,
) -> None:
    """Convert a recording to the file that a feed replays."""
    with _ends(output) as screen:
        from deltastream_cli.commands import convert as converting

        _finish(screen, converting.convert(screen, recording, target))


@app.command()
def login(
    context: typer.Context,
    email: Annotated[str, typer.Option(prompt=True, help="email address of the account")],
    register: Annotated[bool, typer.Option("--register", help="create the account first")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input")
    ] = False,
    output: Form = Output.TEXT,
) -> None:
    """Log in. The tokens are kept in a file that only you can read, and refreshed silently."""
    with _ends(output) as screen:
        password = (
            sys.stdin.readline().rstrip("\n") if password_stdin else typer.prompt("Password", hide_input=True)
        )
        _finish(screen, logging_in.login(context.obj.gateway(), email, password, register=register))


def _finish(screen: Screen, report: Report) -> None:
    screen.show(report)
    if report.code:
        raise typer.Exit(report.code)


@contextmanager
def _ends(output: Output) -> Iterator[Screen]:
    """Run a command: an error is one line on standard error, and its class gives the exit code."""
    screen = Screen(as_json=output is Output.JSON)
    try:
        yield screen
    except errors.CommandError as error:
        screen.note(" ".join(f"deltastream: {error}".split()))
        raise typer.Exit(error.code) from None
    except KeyboardInterrupt:
        raise typer.Exit(errors.INTERRUPTED) from None


def run() -> None:
    """Run the command line. typer ends it with code 1 if a reader such as `head` closes the pipe."""
    app(prog_name="deltastream")
