"""httpx: conditional requests, redirects, streams both ways, and uploads, on one connection."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.http_live.conftest import Site
from tests.tls.certificates import client_context


@pytest.fixture(params=["http", "https"])
def client(request: pytest.FixtureRequest, site: Site) -> Iterator[httpx.Client]:
    url = site.http if request.param == "http" else site.https
    with httpx.Client(base_url=url, verify=client_context(), trust_env=False, timeout=30) as connected:
        yield connected


def test_a_validator_gets_304(client: httpx.Client) -> None:
    first = client.get("/")
    assert (first.status_code, first.headers["content-type"]) == (200, "text/html; charset=utf-8")
    again = client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    since = client.get("/", headers={"If-Modified-Since": first.headers["last-modified"]})
    assert since.status_code == 304


def test_a_stream_is_read_piece_by_piece(client: httpx.Client) -> None:
    with client.stream("GET", "/stream") as response:
        assert response.headers["transfer-encoding"] == "chunked"
        assert b"".join(response.iter_bytes()).endswith(b"99 " * 1000)


def test_a_stream_is_sent_piece_by_piece(client: httpx.Client) -> None:
    assert client.post("/echo", content=(b"piece" for _ in range(100))).content == b"piece" * 100


def test_an_upload_is_replaced_only_when_it_is_the_one_that_was_seen(client: httpx.Client) -> None:
    assert client.put("/upload/httpx.txt", content=b"one").status_code == 201
    tag = client.get("/upload/httpx.txt").headers["etag"]
    assert client.put("/upload/httpx.txt", content=b"two", headers={"If-Match": tag}).status_code == 204
    assert client.put("/upload/httpx.txt", content=b"three", headers={"If-Match": tag}).status_code == 412
    assert client.get("/upload/httpx.txt").content == b"two"
    assert client.delete("/upload/httpx.txt").status_code == 204
