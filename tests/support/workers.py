"""What tests of several workers run in each of them."""

from __future__ import annotations

# Says which process serves a connection; told that it is stuck, it holds its loop for ever.
WHO = """\
import os
import time

import structlog

from ioto_server import Event, Web, action

log = structlog.get_logger()


@action("/who")
async def who(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        while data == "stuck":
            for number in range(3):
                log.info("before it is stuck", number=number)
            time.sleep(3600)
        ws.send(str(os.getpid()))
"""
