"""Call an action, and see that whatever it does, its request comes to an end."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING

from ioto_server.http import HttpError

from .errors import Closed

if TYPE_CHECKING:
    from .web import Web


async def run_action(web: Web) -> None:
    """Run the action of `web` to its end; an exception of its is logged and ends its own request only."""
    try:
        result = web.action.function(web)
        if isawaitable(result):
            await result
    except Closed:
        pass
    except HttpError as error:
        web.refuse(error)
    except Exception:
        web.failed()
    web.returned()
