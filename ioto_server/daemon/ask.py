"""The operator's end of the control socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Final

# What a daemon may take for what it does at once, in seconds: its workers are given five to answer it.
_PATIENCE: Final = 10.0


class AskError(Exception):
    """The daemon could not be asked, or said no: why, and what to do."""


def ask(
    path: Path, command: str, *, timeout: float | None = _PATIENCE, **arguments: object
) -> dict[str, Any]:
    """Send one command to the daemon whose control socket is at `path`; returns its answer.

    `timeout` is in seconds; None is for what the daemon bounds by timeouts of its own, and is asked only of
    one that answers. Raises AskError where nobody answers or the answer is a refusal.
    """
    if timeout is None:
        ask(path, "status")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        try:
            client.connect(str(path))
            client.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            with client.makefile("rb") as stream:
                line = stream.readline()
        except (FileNotFoundError, ConnectionRefusedError):
            raise AskError(
                f"No daemon answers at {path}: start it, or name its configuration with --config, "
                "or its socket with --control where that has changed since"
            ) from None
        except PermissionError:
            raise AskError(
                f"No permission for {path}: ask as the user that runs the daemon, or as root"
            ) from None
        except TimeoutError:
            raise AskError(
                f"The daemon at {path} does not answer within {timeout:g} seconds: an action holds its event "
                "loop, or the process is stopped. Two SIGTERMs to its pid end it, and the log has a traceback"
            ) from None
        except OSError as error:
            raise AskError(f"The daemon at {path} does not answer: {error}") from None
    if not line:
        raise AskError(f"The daemon at {path} ended before it answered: see its log")
    answer: dict[str, Any] = json.loads(line)
    if not answer.get("ok"):
        raise AskError(str(answer.get("error")))
    return answer
