"""HTTP/1.1 and 1.0 around the WebSockets: requests, responses, routes, files (SPEC 8)."""

from ioto_server.http.cookies import parse_cookies, set_cookie
from ioto_server.http.dates import http_date, parse_http_date
from ioto_server.http.disk import fault_of
from ioto_server.http.errors import HttpError
from ioto_server.http.event_stream import EVENT_STREAM, encode_comment, encode_event
from ioto_server.http.file_cache import Representation
from ioto_server.http.file_response import FileResponse
from ioto_server.http.files import StaticFiles, one_file
from ioto_server.http.headers import Headers
from ioto_server.http.mime import media_type
from ioto_server.http.parser import RequestParser
from ioto_server.http.ranges import Range
from ioto_server.http.redaction import without_query
from ioto_server.http.request import Body, EndOfRequest, Request
from ioto_server.http.response import encode_fields, encode_head, encode_start, reason_phrase, with_common
from ioto_server.http.router import DuplicatePrefix, Match, PrefixTable, Router, trimmed
from ioto_server.http.uploads import FolderBusy, Upload, Uploads

__all__ = [
    "EVENT_STREAM",
    "Body",
    "DuplicatePrefix",
    "EndOfRequest",
    "FileResponse",
    "FolderBusy",
    "Headers",
    "HttpError",
    "Match",
    "PrefixTable",
    "Range",
    "Representation",
    "Request",
    "RequestParser",
    "Router",
    "StaticFiles",
    "Upload",
    "Uploads",
    "encode_comment",
    "encode_event",
    "encode_fields",
    "encode_head",
    "encode_start",
    "fault_of",
    "http_date",
    "media_type",
    "one_file",
    "parse_cookies",
    "parse_http_date",
    "reason_phrase",
    "set_cookie",
    "trimmed",
    "with_common",
    "without_query",
]
