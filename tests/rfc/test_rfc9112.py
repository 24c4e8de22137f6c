"""RFC 9112, HTTP/1.1 on the wire: the daemon's answers, each test named by its section.

What is refused, byte by byte, is in tests/http/corpus.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.daemon import Daemon
from tests.support.raw import RawClient


@pytest.fixture
def client(daemon: Daemon) -> Iterator[RawClient]:
    with RawClient(daemon.url) as connected:
        yield connected


def test_2_2_an_empty_line_before_the_request_line_is_ignored(client: RawClient) -> None:
    client.send(b"\r\n" + client.head("GET", "/"))
    assert client.read_response().status == 200


def test_2_2_a_request_may_come_in_any_pieces(client: RawClient) -> None:
    client.send_cut([bytes([octet]) for octet in client.head("GET", "/")])
    assert client.read_response().status == 200


def test_2_3_the_answer_to_1_0_is_of_our_version(client: RawClient) -> None:
    client.send(client.head("GET", "/", version="1.0", host=False))
    answer = client.read_response()
    assert (answer.version, answer.status, answer.get("Connection")) == ("1.1", 200, "close")
    assert client.read_to_end() == b""


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "9.9"])
def test_2_3_other_versions_are_505(client: RawClient, version: str) -> None:
    client.send(client.head("GET", "/", version=version))
    assert client.read_response().status == 505


def test_3_2_2_the_absolute_form_is_understood(client: RawClient) -> None:
    assert client.request("GET", f"http://{client.host}/").status == 200


def test_3_2_2_the_host_of_the_absolute_form_goes_before_the_field(client: RawClient) -> None:
    """Our loopback listener serves no other name: that the target's is meant shows in the refusal."""
    refused = client.request("GET", "http://example.com/")
    assert (refused.status, "example.com" in refused.text) == (403, True)


def test_3_2_3_connect_is_for_proxies(client: RawClient) -> None:
    client.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
    assert client.read_response().status == 501


def test_3_2_4_the_asterisk_form_asks_for_the_whole_server(client: RawClient) -> None:
    answer = client.request("OPTIONS", "*")
    assert answer.status == 204
    assert {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"} <= set(str(answer.get("Allow")).split(", "))


def test_4_the_status_line_has_its_blanks(client: RawClient) -> None:
    client.send(client.head("GET", "/"))
    assert client.read_until(b"\r\n") == b"HTTP/1.1 200 OK\r\n"


def test_5_names_are_case_insensitive_and_values_trimmed(client: RawClient) -> None:
    client.send(b"GET / HTTP/1.1\r\nhOsT:\t %s \t\r\nCONNECTION:close\r\n\r\n" % client.host.encode())
    answer = client.read_response()
    assert (answer.status, answer.get("Connection")) == (200, "close")


def test_6_1_answers_without_a_body_are_not_framed(client: RawClient) -> None:
    """Nor has a 204 a Content-Length (RFC 9110 8.6)."""
    answer = client.request("OPTIONS", "/")
    assert answer.status == 204
    assert (answer.get("Content-Length"), answer.get("Transfer-Encoding")) == (None, None)
    assert client.request("GET", "/").status == 200


def test_6_3_a_body_nobody_reads_is_not_taken_for_a_request(client: RawClient) -> None:
    body = client.head("GET", "/smuggled")
    assert client.request("GET", "/", body=body).status == 200
    assert client.request("GET", "/ws/echo", [("Upgrade", "h2c")], body=body).status == 426
    assert client.request("GET", "/none").status == 404


def test_7_1_chunks_with_extensions_and_trailers(client: RawClient) -> None:
    client.send(client.head("PUT", "/upload/chunks.txt", [("Transfer-Encoding", "chunked")]))
    client.send_cut([b"3;a=b\r\nabc\r\n", b"00a\r\n0123456789\r\n", b"0\r\nX-Sum: 13\r\n\r\n"])
    assert client.read_response().status == 201
    assert client.request("GET", "/upload/chunks.txt").body == b"abc0123456789"
    assert client.request("DELETE", "/upload/chunks.txt").status == 204


def test_9_3_connections_persist_unless_told_otherwise(client: RawClient) -> None:
    for _ in range(3):
        answer = client.request("GET", "/favicon.svg")
        assert (answer.status, answer.get("Connection")) == (200, None)
    kept = client.request("GET", "/favicon.svg", [("Connection", "keep-alive")], version="1.0")
    assert kept.get("Connection") == "keep-alive"
    assert client.request("GET", "/favicon.svg", [("Connection", "close, x")]).get("Connection") == "close"
    assert client.read_to_end() == b""


def test_9_3_2_pipelined_requests_are_answered_in_order(client: RawClient) -> None:
    client.send(
        b"".join(
            client.head(method, path) for method, path in (("GET", "/"), ("HEAD", "/"), ("GET", "/none"))
        )
    )
    assert [client.read_response(method).status for method in ("GET", "HEAD", "GET")] == [200, 200, 404]


def test_9_5_a_client_that_shuts_its_side_is_answered(client: RawClient) -> None:
    client.send(client.head("GET", "/"))
    client.finish_sending()
    assert client.read_response().status == 200
    assert client.read_to_end() == b""


def test_9_6_after_close_nothing_more_is_answered(client: RawClient) -> None:
    client.send(client.head("GET", "/", [("Connection", "close")]) + client.head("GET", "/none"))
    assert client.read_response().status == 200
    assert client.read_to_end() == b""
