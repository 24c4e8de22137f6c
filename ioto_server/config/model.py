"""The model of web.json5: the one place where a directive's name, type, default, unit and help stand.

`check`, `explain`, the reference page, the JSON Schema and the generated etc/web.json5 are all made from it
(SPEC 2). Attributes are snake_case, the file's keys are the same words in camelCase. Defaults are written as
in a file, and go through the same grammar as a file's values.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ioto_server.config import kinds
from ioto_server.config.grammar import Many, Words


class Section(BaseModel):
    """What all objects of the file have in common."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        validate_default=True,
        defer_build=True,
    )


def directive(
    default: Any,
    help_: str,
    *,
    alias: str | None = None,
    since: str = "0.1.0",
    live: bool = True,
    example: str | None = None,
) -> Any:
    """Declare a directive.

    `default` is written as in a file (`...` = required, and then `example` is one). `help_` is two lines.
    `live` says whether a reload applies a change to the running server; otherwise it takes a restart.
    """
    return Field(
        default,
        alias=alias,
        description=help_,
        json_schema_extra={"since": since, "live": live, "example": example},
    )


def section(help_: str, *, since: str = "0.1.0") -> Any:
    """Declare an object of directives that is there even when the file does not mention it."""
    return Field({}, description=help_, json_schema_extra={"since": since, "live": True, "example": None})


class Route(Section):
    """One entry of `routes`: which requests it takes and what answers them."""

    match: kinds.Match = directive(
        "",
        "Which paths: '/x/' takes everything below, '/x' that path alone, '/' only '/'.\n"
        "Absent or '' takes every path. The first route that matches decides.",
    )
    methods: Annotated[tuple[kinds.Method, ...], Many()] = directive(
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
        "Answer with a redirect (302) to this path or URL.\n"
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

    source: kinds.Match = directive(
        ...,
        "Path that has moved; ending in '/' it takes everything below.\nCompared like the match of a route.",
        alias="from",
        example="/old",
    )
    to: kinds.Location = directive(
        ...,
        "Where it is now: a path or a URL.\nIt is sent as it stands in the Location header.",
        example="/new",
    )
    status: kinds.Status = directive(
        302,
        "302 for now, 301 for ever; 307 and 308 are the same and keep the method.\n303 turns it into a GET.",
    )


class Upload(Section):
    """Files that clients send."""

    dir: kinds.File = directive(
        "/tmp",
        "Folder for parts of multipart forms while they arrive.\n"
        "A file that is PUT is written beside its target instead.",
    )
    remove: kinds.Flag = directive(
        True,
        "Remove uploaded parts when the action has ended.\nfalse leaves them to the action.",
    )


class Limits(Section):
    """What one client, and all of them together, may take."""

    max_message: kinds.Size = directive(
        "MAXINT",
        "Largest WebSocket message in and out, reassembled and decompressed (2147483647).\n"
        "A larger one received is answered with Close 1009, a larger send raises.",
    )
    max_frame: kinds.Size = directive(
        131072,
        "Largest WebSocket frame. A longer message is sent as several frames;\n"
        "a longer frame received is answered with Close 1009.",
    )
    max_fragments: kinds.Count = directive(
        131072,
        "Most frames that one received message may have.\nBeyond it: Close 1009.",
    )
    max_backlog: kinds.Size = directive(
        "1MB",
        "Unsent bytes that may wait for one connection that reads slowly.\n"
        "A message is accepted while the backlog before it is at most this; then Close 1008.",
    )
    memory: kinds.Size = directive(
        "512MB",
        "All partial messages and backlogs of the process together.\n"
        "Beyond it the connection that holds most is closed with 1013.",
    )
    connections: kinds.Count = directive(
        10000,
        "Most open connections, for each process.\nBeyond it a client is answered 503.",
    )
    per_address: kinds.Count = directive(
        "unlimited",
        "Most open connections from one address.\n"
        "Behind a proxy set trustedProxies too, or all clients share one address.",
    )
    header: kinds.Size = directive(
        "10K",
        "Bytes of a request's line and headers.\nBeyond it: 431.",
    )
    body: kinds.Size = directive(
        "100K",
        "Bytes of a request's body, uploads excepted.\nBeyond it: 413.",
    )
    upload: kinds.Size = directive(
        "20MB",
        "Bytes of a PUT or of a multipart form.\nBeyond it: 413, and the old file stays whole.",
    )
    requests: kinds.Count = directive(
        1000,
        "Most requests on one keep-alive connection.\nAfter the last one the connection is closed.",
    )


class Timeouts(Section):
    """How long the server waits."""

    parse: kinds.Duration = directive(
        "5 secs",
        "A whole request header must have arrived after this.\n"
        "Otherwise 408, or a silent close when nothing was sent.",
    )
    inactivity: kinds.Duration = directive(
        "5 mins",
        "No byte read or written for this long ends the connection.\n"
        "A WebSocket is told Close 1001; pings and pongs count as activity.",
    )
    request: kinds.OptionalDuration = directive(
        None,
        "Whole life of a request or WebSocket.\nNot set: 5 minutes for HTTP, no limit for WebSockets.",
    )
    close: kinds.Duration = directive(
        "5 secs",
        "Wait for the peer's answer to our Close frame, then for the end of TCP.\n"
        "After it the connection is cut.",
    )
    pong: kinds.Duration = directive(
        "20 secs",
        "No byte received for this long after our ping: Close 1011.\n"
        "Matters only where webSockets.ping is set.",
    )
    drain: kinds.Duration = directive(
        "30 secs",
        "On stop, open connections have this long to finish.\nsystemd's TimeoutStopSec must be longer.",
    )


class Compress(Section):
    """permessage-deflate (RFC 7692)."""

    level: Annotated[int, kinds.whole(1, 9)] = directive(
        6,
        "zlib's compression level: 1 is fast, 9 is small.\nAbove 6 little is gained.",
    )
    window_bits: Annotated[int, kinds.whole(9, 15)] = directive(
        12,
        "Window of 2 to this power bytes, in both directions.\n"
        "15 compresses best and takes 8 times the memory of 12.",
    )
    mem_level: Annotated[int, kinds.whole(1, 9)] = directive(
        5,
        "zlib's memory for one compressor, 1 to 9.\n"
        "Counts for every open connection where contextTakeover is true.",
    )
    context_takeover: kinds.Flag = directive(
        True,
        "Keep the window from message to message: smaller messages, memory a connection.\n"
        "false starts afresh with each message.",
    )
    threshold: kinds.SizeOrZero = directive(
        128,
        "Messages of fewer bytes are sent as they are.\n0 compresses all.",
    )


class WebSockets(Section):
    """WebSockets (RFC 6455)."""

    enable: kinds.Flag = directive(
        True,
        "Take WebSocket handshakes.\nfalse: Upgrade is ignored and actions are plain HTTP.",
    )
    ping: kinds.Duration = directive(
        "never",
        "How often a ping is sent, so that proxies do not cut a quiet connection.\n"
        "Choose less than timeouts.inactivity, such as '1 min'.",
    )
    protocol: Annotated[
        tuple[kinds.Protocol, ...] | None,
        Many(null=True, empty="write null to speak what the client offers first"),
    ] = directive(
        "chat",
        "Sub-protocol the server speaks; a list is in order of preference.\n"
        "null takes the first one that the client offers.",
    )
    validate_utf: kinds.Flag = directive(
        True,
        "Refuse text that is not UTF-8 with Close 1007, as RFC 6455 asks.\nfalse puts U+FFFD in its place.",
        alias="validateUTF",
    )
    compress: Annotated[Compress | None, Words((True, {}), (False, None))] = directive(
        False,
        "Compress messages with permessage-deflate (RFC 7692).\ntrue, or an object with the settings below.",
    )
    origins: Annotated[tuple[kinds.Origin, ...] | None, Many(null=True)] = directive(
        None,
        "Web pages that may connect: hosts, origins or patterns; '*' = any.\n"
        "Not set: pages of this host alone. Clients that are no browsers are not asked.",
    )


class Topics(Section):
    """Publish and subscribe."""

    broker: kinds.Broker = directive(
        None,
        "URL of the server that carries topics between workers and machines.\n"
        "Not set: topics stay in the process, which takes workers: 1.",
        live=False,
    )


class Log(Section):
    """The log."""

    path: kinds.LogPath = directive(
        "stdout",
        "Where lines go: 'stdout', 'stderr' or a file.\nUnder systemd stdout is the journal.",
        live=False,
    )
    level: kinds.LogLevel = directive(
        "info",
        "Least important lines that are kept: error, warning, info or debug.\n"
        "info has a line for every request and WebSocket.",
    )
    format: kinds.LogFormat = directive(
        "auto",
        "'json' for machines, 'console' for people.\n'auto' is console on a terminal and json elsewhere.",
        live=False,
    )
    show: kinds.LogShow = directive(
        "",
        "Log request headers (H) and bodies (B), response headers (h) and bodies (b).\n"
        "They may hold secrets: for finding faults only.",
    )


class Verify(Section):
    """What is asked of TLS clients."""

    client: kinds.Flag = directive(
        False,
        "Clients must show a certificate.\nIt is checked against tls.authority.",
    )
    issuer: kinds.Flag = directive(
        True,
        "Check who issued a client's certificate.\nAlways done where verify.client is true.",
    )


class Tls(Section):
    """TLS for https endpoints. Files that change are taken up without a restart."""

    certificate: kinds.File = directive(
        ...,
        "Certificate of the server and its chain, PEM.\nThe server's own certificate comes first.",
        example="server.crt",
    )
    key: kinds.OptionalFile = directive(
        None,
        "Private key, PEM, without a pass phrase.\nNot set: it stands in the certificate's file.",
    )
    authority: kinds.OptionalFile = directive(
        None,
        "Certificates of the authorities that issue clients' certificates, PEM.\n"
        "Needed where verify.client is true.",
    )
    verify: Verify = section(
        "What is asked of clients.\nNot set: no certificate of theirs is needed.",
    )
    ciphers: kinds.Ciphers = directive(
        None,
        "OpenSSL cipher list for TLS 1.2.\nNot set: Python's own safe choice.",
    )


class Metrics(Section):
    """Prometheus metrics."""

    listen: kinds.Listen = directive(
        "http://localhost:4101",
        "Endpoint of its own for the metrics.\nKeep it where only the monitoring can reach it.",
        live=False,
    )
    path: kinds.UrlPath = directive(
        "/metrics",
        "Path of the text.\nPrometheus asks for /metrics unless told otherwise.",
        live=False,
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
        "Public host name, for redirects and the check of Host on a loopback listener.\n"
        "Not set: the host of the endpoint.",
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
        "Paths that have moved: { from: '/old', to: '/new', status: 301 }.\nLooked at before the routes.",
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
    def documents_is_site(self) -> bool:
        """Whether the packaged site is served, which nobody may write to."""
        return self.documents == kinds.SITE
