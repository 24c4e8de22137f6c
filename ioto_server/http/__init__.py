"""HTTP/1.1 and 1.0 around the WebSockets: requests, responses, routes, files (SPEC 8)."""

from ioto_server.http.errors import HttpError
from ioto_server.http.headers import Headers
from ioto_server.http.parser import RequestParser
from ioto_server.http.request import Body, EndOfRequest, Request
from ioto_server.http.response import encode_head, http_date, reason_phrase
from ioto_server.http.router import DuplicatePrefix, Match, PrefixTable, Router

__all__ = [
    "Body",
    "DuplicatePrefix",
    "EndOfRequest",
    "Headers",
    "HttpError",
    "Match",
    "PrefixTable",
    "Request",
    "RequestParser",
    "Router",
    "encode_head",
    "http_date",
    "reason_phrase",
]
