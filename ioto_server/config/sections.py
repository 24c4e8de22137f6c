"""The objects of the model that stand under a name of their own: limits, timeouts, webSockets and others."""

from typing import Annotated

from ioto_server.config import kinds
from ioto_server.config.fields import Section, directive, section
from ioto_server.config.grammar import Many, Words


class Upload(Section):
    """Files that clients send."""

    dir: kinds.File = directive(
        "/tmp",
        "Folder for parts of multipart forms while they arrive; a start makes it.\n"
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
        "Whole life of a request or WebSocket; a long download or upload is cut by it too.\n"
        "Not set: 5 minutes for HTTP, no limit for WebSockets, and for files while a client reads on.",
    )
    close: kinds.Duration = directive(
        "5 secs",
        "Wait for the peer's answer to our Close frame, then for the end of TCP.\n"
        "After it the connection is cut. At a stop, what all io_stop together may take.",
    )
    pong: kinds.Duration = directive(
        "20 secs",
        "No byte received for this long after our ping: Close 1011.\n"
        "Matters only where webSockets.ping is set.",
    )
    start: kinds.Duration = directive(
        "30 secs",
        "io_start of the plugins, together, must have ended after this, at a start and at a reload.\n"
        "Otherwise the start fails, or the reload is refused.",
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
        "URL of the Redis or Valkey server that carries topics between workers and machines.\n"
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
        "Log request headers (H) and bodies (B), response headers (h) and bodies (b), 1024 bytes of each.\n"
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
        "OpenSSL cipher list for TLS 1.2.\nNot set: AES-GCM or ChaCha20 with forward secrecy.",
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
