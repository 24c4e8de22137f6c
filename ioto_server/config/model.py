"""The model of web.json5: the one place where a directive's name, type, default, unit and help stand.

`check`, `explain`, the reference page, the JSON Schema and the generated etc/web.json5 are all made from it
(SPEC 2). Attributes are snake_case, the file's keys are the same words in camelCase. Defaults are written as
in a file, and go through the same grammar as a file's values.
"""

import os
from typing import Annotated

from ioto_server.config import kinds
from ioto_server.config.fields import Section, directive, section
from ioto_server.config.grammar import Many, Words
from ioto_server.config.sections import Limits, Log, Metrics, Timeouts, Tls, Topics, Upload, WebSockets


class Route(Section):
    """One entry of `routes`: which requests it takes and what answers them."""

    match: kinds.Match = directive(
        "",
        "Which paths: '/x/' takes everything below, '/x' that path alone, '/' only '/'.\n"
        "Absent or '' takes every path. The first route that matches decides.",
    )
    methods: Annotated[tuple[kinds.Method, ...], Many(empty="write at least one, such as 'GET'")] = directive(
        ("GET", "POST"),
        "Methods the route takes; HEAD comes with GET. Others are answered 405.\n"
        "PUT and DELETE change files, so name them only where that is wanted.",
    )
    handler: kinds.Handler = directive(
        "file",
        "Who answers: 'file' (from the documents folder) or 'action' (a plugin).\n"
        "WebSockets are always actions.",
    )
    redirect: kinds.OptionalLocation = directive(
        None,
        "Redirect (302) to this path or URL whoever is not there yet; 'https://' is the same path by TLS.\n"
        "For another status use the redirect list at the root.",
    )
    trim: kinds.OptionalUrlPath = directive(
        None,
        "Prefix taken off the path before the handler sees it.\n"
        "{ match: '/files/', trim: '/files' } serves /files/a.txt from documents/a.txt.",
    )
    stream: kinds.Flag = directive(
        False,
        "Give the action WebSocket messages in pieces, as their frames arrive.\n"
        "Pieces are PARTIAL_MESSAGE events, the last one is MESSAGE.",
    )
    compressed: kinds.Flag = directive(
        True,
        "Serve NAME.br or NAME.gz beside the file to clients that take it.\n"
        "The files are made beforehand; nothing is compressed while serving.",
    )
    cache: kinds.Cache = directive(
        None,
        "How long browsers may keep the answers: '1 day', 'forever'; false = not at all.\n"
        "A text such as 'no-cache' is sent as it stands in Cache-Control.",
    )
    documents: kinds.OptionalDocuments = directive(
        None,
        "Folder of this route's files, instead of the documents folder at the root.\n"
        "Keep uploads in a folder of their own with it.",
    )
    role: kinds.Role = directive(
        None,
        "Role that a client must have. Only 'public' (everybody) is known so far.\n"
        "Any other role is refused until authentication exists.",
    )


class Redirect(Section):
    """One entry of `redirect`: a path that has moved."""

    source: kinds.Source = directive(
        ...,
        "Path that has moved, compared like the match of a route: '/x/' takes everything below.\n"
        "'http://' in front takes it from clients without TLS alone; 'http://' is all they ask for.",
        alias="from",
        example="/old",
    )
    to: kinds.Location = directive(
        ...,
        "Where it is now: a path, or a URL; 'https://' alone is the same path here by TLS.\n"
        "If from and to end in '/', what follows from is put behind to.",
        example="/new",
    )
    status: kinds.Status = directive(
        302,
        "302 for now, 301 for ever; 307 and 308 are the same and keep the method.\n303 turns it into a GET.",
    )


class Config(Section):
    """The whole of web.json5."""

    listen: Annotated[
        tuple[kinds.Listen, ...], Many(empty="write at least one, such as 'http://localhost:4100'")
    ] = directive(
        ("http://localhost:4100",),
        "Where to listen: 'http://HOST:PORT', 'https://HOST:PORT' or 'unix:/PATH'; one or a list.\n"
        "Without a host, as in 'http://:80', on all interfaces, IPv4 and IPv6.",
    )
    name: kinds.HostName = directive(
        None,
        "Public name, for redirects and the check of Host on a loopback listener; not set: what clients ask\n"
        "for. A port is that of the scheme that listens there; without one, outside it is 80 and 443.",
    )
    documents: kinds.Documents = directive(
        "@site",
        "Folder of the files that are served.\n'@site' is the site that comes with the server.",
    )
    index: kinds.FileName = directive(
        "index.html",
        "File that answers for a folder.\nThere are no folder listings.",
    )
    actions: Annotated[tuple[kinds.File, ...], Many()] = directive(
        "actions",
        "Folder of plugins: Python files that bind actions to paths; one or a list.\n"
        "Everything in it is run as code: let only the administrator write there.",
    )
    routes: Annotated[tuple[Route, ...] | None, Many(objects=True, null=True)] = directive(
        None,
        "What answers which path, in order; the first that matches decides.\n"
        "Not set: the prefixes of actions go to them, everything else to the files.",
    )
    redirect: Annotated[tuple[Redirect, ...], Many(objects=True)] = directive(
        (),
        "Paths that have moved: { from: '/old', to: '/new', status: 301 }. Looked at before the routes.\n"
        "Who is there already is not redirected: { from: 'http://', to: 'https://' } sends all to TLS.",
    )
    headers: dict[kinds.HeaderName, kinds.HeaderValue] = directive(
        {},
        "Headers added to every answer: { 'X-Frame-Options': 'DENY' }.\n"
        "Those that frame the answer are the server's.",
    )
    mime: dict[kinds.Extension, kinds.MimeType] = directive(
        {},
        "Media types by extension, over the built-in ones: { '.webmanifest': 'application/json' }.\n"
        "Unknown extensions are application/octet-stream.",
    )
    upload: Upload = section(
        "Multipart forms.\nHow large they may be is limits.upload.",
    )
    limits: Limits = section(
        "What one client, and all together, may take. Sizes are bytes or '10K', '1MB'.\n"
        "'unlimited' takes a limit away: do that only where every client is trusted.",
    )
    timeouts: Timeouts = section(
        "How long the server waits: seconds, or '5 secs', '1 hour'.\n'never' takes a timeout away.",
    )
    web_sockets: WebSockets = section(
        "WebSockets.\nTheir sizes are under limits, their timeouts under timeouts.",
    )
    trusted_proxies: Annotated[tuple[kinds.Address, ...], Many()] = directive(
        (),
        "Addresses and networks whose X-Forwarded-For, -Proto and -Host are believed.\n"
        "'unix' stands for whoever connects to a unix endpoint.",
    )
    topics: Topics = section(
        "Publish and subscribe.\nNeeds no setting in one process.",
    )
    log: Log = section(
        "The log.\nUnder `web:` it stands beside it, not inside.",
    )
    tls: Tls | None = directive(
        None,
        "Certificate and key for https endpoints.\nFiles that change are taken up without a restart.",
    )
    workers: kinds.Workers = directive(
        1,
        "Processes that share the endpoints; 'auto' = one for each processor core.\n"
        "With more than one, topics need topics.broker.",
        live=False,
    )
    metrics: Annotated[Metrics | None, Words((False, None), (None, None))] = directive(
        None,
        "Prometheus metrics at an endpoint of their own: { listen, path }.\nNot set: none.",
        live=False,
    )
    control: kinds.Control = directive(
        "$RUNTIME_DIRECTORY/control.sock",
        "Unix socket of `status`, `reload`, `stop` and `upgrade`.\n"
        "Without systemd's $RUNTIME_DIRECTORY it is run/control.sock.",
        live=False,
    )

    @property
    def processes(self) -> int:
        """How many processes serve: `workers`, with 'auto' for as many as there are cores for us."""
        return len(os.sched_getaffinity(0)) if self.workers == "auto" else self.workers

    @property
    def documents_is_site(self) -> bool:
        """Whether the packaged site is served, which nobody may write to."""
        return kinds.is_site(self.documents)
