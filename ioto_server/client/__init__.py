"""The other side of the wire, sans-I/O: what `ioto-server connect` and `ioto_server.testing` speak."""

from .address import Address, AddressError, parse_address
from .opening import Accepted, Opening, Refused, encode_request
from .protocol import FRAME_SIZE, ClientProtocol
from .response import Response, ResponseError, ResponseParser

__all__ = [
    "FRAME_SIZE",
    "Accepted",
    "Address",
    "AddressError",
    "ClientProtocol",
    "Opening",
    "Refused",
    "Response",
    "ResponseError",
    "ResponseParser",
    "encode_request",
    "parse_address",
]
