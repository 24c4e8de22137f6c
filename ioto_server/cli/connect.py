"""`ioto-server connect`: talk to a WebSocket server, by hand or from a script."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ioto_server.client import AddressError, Refused, parse_address
from ioto_server.config.values import WrongValue, parse_size
from ioto_server.daemon.outcome import FAILED, MISUSED, complain
from ioto_server.daemon.visible import visible_line

from .terminal import interactive, scripted
from .terminal.link import ConnectError, Link, Target
from .terminal.screen import Screen
from .terminal.tls import TlsError, make_context

_PEM = click.Path(path_type=Path, exists=True, dir_okay=False)


def _fields(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    fields = []
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon:
            raise click.BadParameter(f"{text!r} has no colon: write 'Name: value'")
        fields.append((name.strip(), value.strip()))
    return tuple(fields)


def _size(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    try:
        return parse_size(text)
    except WrongValue as error:
        raise click.BadParameter(f"{text!r} {error}") from None


@click.command("connect")
@click.argument("url")
@click.option(
    "--header", "headers", multiple=True, callback=_fields, metavar="'NAME: VALUE'", help="Add a header."
)
@click.option("--origin", help="Send this Origin, as a page of there would.")
@click.option("--protocol", "protocols", multiple=True, help="Offer this sub-protocol; may be repeated.")
@click.option("--compress", is_flag=True, help="Offer permessage-deflate.")
@click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds for the connection, for the handshake, and for the answer to our Close.",
)
@click.option(
    "--max-message",
    default="16MB",
    show_default=True,
    callback=_size,
    help="Longest message that is taken or sent.",
)
@click.option(
    "--unix",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Connect to this unix socket; the URL says what to ask there.",
)
@click.option("--insecure", is_flag=True, help="Do not check the server's certificate.")
@click.option("--ca", type=_PEM, help="Trust the issuers in this PEM file, and no others.")
@click.option("--cert", type=_PEM, help="Show this certificate to the server.")
@click.option("--key", type=_PEM, help="Its key, where it is in a file of its own.")
@click.option("--json", "as_json", is_flag=True, help="Indent messages that are JSON.")
@click.option("--timings", is_flag=True, help="Show how long after the last sending each message came.")
@click.option("--verbose", "-v", is_flag=True, help="Show the headers of the answer, and the server's pings.")
@click.option(
    "--count", type=click.IntRange(min=1), help="In a pipe: close when this many messages have come."
)
@click.option(
    "--wait", type=click.FloatRange(min=0), help="In a pipe: seconds from the end of the input to our Close."
)
@click.option(
    "--commands", is_flag=True, help="In a pipe: lines that begin with / are commands, as at a terminal."
)
def command(
    url: str,
    headers: tuple[tuple[str, str], ...],
    origin: str | None,
    protocols: tuple[str, ...],
    compress: bool,
    timeout: float,
    max_message: int,
    unix: Path | None,
    insecure: bool,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    as_json: bool,
    timings: bool,
    verbose: bool,
    count: int | None,
    wait: float | None,
    commands: bool,
) -> None:
    """Connect to the WebSocket server at URL, such as ws://localhost:4100/ws/echo.

    At a terminal, lines that are typed are sent, and messages are shown; /help lists the commands. In a pipe,
    each line of the input is sent, and each message is printed on a line of its own, bytes in hexadecimal;
    after the end of the input the connection is closed when the server has answered, or as --count and --wait
    say.

    Exit codes: 0 closed in order, 1 not connected, refused, or closed for a failure, 2 wrong use.
    """
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        address = parse_address(url)
        tls = make_context(insecure, ca, cert, key) if address.secure else None
    except (AddressError, TlsError) as error:
        raise click.UsageError(str(error)) from None
    if not address.secure and (insecure or ca or cert or key):
        raise click.UsageError("--insecure, --ca, --cert and --key are for TLS: write wss:// for the URL")
    if key and not cert:
        raise click.UsageError("--key is that of a certificate: name it with --cert")
    if at_terminal and (commands or count is not None or wait is not None):
        raise click.UsageError("--count, --wait and --commands are for pipes, and this is a terminal")
    target = Target(
        address=address,
        headers=headers,
        origin=origin,
        protocols=protocols,
        compress=compress,
        unix=unix,
        tls=tls,
        timeout=timeout,
        max_message=max_message,
    )
    try:
        if at_terminal:
            look = interactive.Look(as_json=as_json, timings=timings, verbose=verbose)
            orderly = interactive.run(target, look, lambda link, screen: _greet(link, screen, verbose))
        else:
            script = scripted.Script(
                count=count, wait=wait, commands=commands, as_json=as_json, timings=timings
            )
            orderly = asyncio.run(_run_script(target, script, verbose))
    except (ConnectError, Refused) as error:
        complain(_explain(error))
        orderly = False
    except ValueError as error:
        complain(str(error))
        raise SystemExit(MISUSED) from None
    except KeyboardInterrupt:
        orderly = False
    if not orderly:
        raise SystemExit(FAILED)


async def _run_script(target: Target, script: scripted.Script, verbose: bool) -> bool:
    link = await Link.open(target)
    if verbose:
        click.echo("\n".join(_answer(link)), err=True)
    return await scripted.run(link, script)


def _greet(link: Link, screen: Screen, verbose: bool) -> None:
    """What a person is told when the WebSocket is open."""
    if verbose:
        screen.say("\n".join(_answer(link)))
    protocol = link.accepted.protocol
    spoken = f", protocol {visible_line(protocol)}" if protocol is not None else ""
    compressed = ", compressed" if link.accepted.deflate is not None else ""
    screen.say(f"Connected to {link.target.address}{spoken}{compressed}. /help shows what can be typed.")


def _answer(link: Link) -> Iterable[str]:
    response = link.accepted.response
    yield f"{response.status} {visible_line(response.reason)}"
    for name, value in response.headers.items():
        yield visible_line(f"{name}: {value}")


def _explain(error: ConnectError | Refused) -> str:
    text = str(error)
    if isinstance(error, Refused) and (location := error.headers.get("location")):
        text += f"; it sends you to {location}"
    return text
