"""Bodies of requests, taken apart for an action: forms in both of their encodings (SPEC 8)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ioto_server.http.forms import Form, MultipartReader, form_type, parse_urlencoded

from .off_the_loop import off_the_loop

if TYPE_CHECKING:
    from ioto_server.config import Config
    from ioto_server.http import Request

    from .exchange import Exchange


async def read_form(request: Request, exchange: Exchange, config: Config) -> Form:
    """Read the form in a request's body; files go to `upload.dir`, off the loop.

    Raises HttpError 415 for a body that is no form, 400 for a broken one, 413 beyond `limits.body` (its
    fields) or `limits.upload` (the whole, with files), 500, 503 and 507 where they cannot be stored.
    """
    content_type = request.headers.get("content-type")
    if form_type(content_type) == "application/x-www-form-urlencoded":
        pieces = []
        while piece := await exchange.read():
            pieces.append(piece)
        return parse_urlencoded(b"".join(pieces))
    assert content_type is not None
    reader = MultipartReader(content_type, config.upload.dir, config.limits.body)
    try:
        while piece := await exchange.read():
            await off_the_loop(partial(reader.feed, piece))
        form = await off_the_loop(reader.finish, Form.remove)
    except BaseException:
        reader.abort()
        raise
    if not config.upload.remove:
        for file in form.files:
            file.keep()
    return form
