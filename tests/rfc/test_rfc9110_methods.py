"""RFC 9110, methods, expectations, statuses: the daemon's answers, each test named by its section."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ioto_server.http import parse_http_date
from tests.support.daemon import Daemon
from tests.support.raw import RawClient


@pytest.fixture
def client(daemon: Daemon) -> Iterator[RawClient]:
    with RawClient(daemon.url) as connected:
        yield connected


@pytest.mark.parametrize("path", ["/", "/none", "/ws/echo"])
def test_6_6_1_every_answer_has_a_date(client: RawClient, path: str) -> None:
    assert parse_http_date(str(client.request("GET", path).get("Date")), 0) is not None


def test_7_8_an_upgrade_to_something_else_is_ignored(client: RawClient) -> None:
    answer = client.request("GET", "/", [("Connection", "Upgrade"), ("Upgrade", "h2c, foo/2")])
    assert (answer.status, answer.get("Upgrade")) == (200, None)


def test_9_1_an_unknown_method_is_501_and_a_known_one_405(client: RawClient) -> None:
    answer = client.request("PATCH", "/")
    assert (answer.status, answer.get("Allow")) == (405, "GET, HEAD, OPTIONS")
    client.send(client.head("BREW", "/"))
    assert client.read_response().status == 501


@pytest.mark.parametrize("path", ["/", "/style.css", "/none", "/site"])
def test_9_3_2_head_is_get_without_the_body(client: RawClient, path: str) -> None:
    got, head = client.request("GET", path), client.request("HEAD", path)
    different = {"Date"}
    assert head.status == got.status
    assert [field for field in head.headers if field[0] not in different] == [
        field for field in got.headers if field[0] not in different
    ]
    assert got.get("Content-Length") == str(len(got.body))


def test_9_3_4_put_creates_with_201_and_replaces_with_204(client: RawClient) -> None:
    assert client.request("PUT", "/upload/put.txt", body=b"one").status == 201
    replaced = client.request("PUT", "/upload/put.txt", body=b"two")
    assert replaced.status == 204
    read = client.request("GET", "/upload/put.txt")
    assert (read.body, read.get("ETag")) == (b"two", replaced.get("ETag"))
    assert client.request("DELETE", "/upload/put.txt").status == 204


def test_9_3_5_delete_of_what_is_not_there_is_404(client: RawClient) -> None:
    assert client.request("DELETE", "/upload/never.txt").status == 404


def test_9_3_7_options_names_what_a_path_takes(client: RawClient) -> None:
    assert client.request("OPTIONS", "/").get("Allow") == "GET, HEAD, OPTIONS"
    assert set(str(client.request("OPTIONS", "/upload/a").get("Allow")).split(", ")) == {
        *("DELETE", "GET", "HEAD", "OPTIONS", "PUT")
    }


def test_10_1_1_who_asks_first_is_told_to_go_on_before_sending(client: RawClient) -> None:
    fields = [("Expect", "100-continue"), ("Content-Length", "5")]
    client.send(client.head("PUT", "/upload/expected.txt", fields))
    assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hello")
    assert client.read_response().status == 201
    assert client.request("DELETE", "/upload/expected.txt").status == 204


def test_10_1_1_who_asks_first_and_is_refused_is_not_told_to_go_on(client: RawClient) -> None:
    fields = [("Expect", "100-continue"), ("Content-Length", "50000000000")]
    client.send(client.head("PUT", "/upload/expected.txt", fields))
    assert client.read_response().status == 413
    assert client.read_to_end() == b""


def test_10_1_1_who_asks_first_and_is_answered_learns_that_the_connection_ends(client: RawClient) -> None:
    # It may send its body now, or not: what follows on this connection would mean two things.
    fields = [("Expect", "100-continue"), ("Content-Length", "5")]
    for method, target, status in (("PUT", "/upload/.hidden", 403), ("GET", "/", 200)):
        with RawClient(f"http://{client.host}") as asking:
            asking.send(asking.head(method, target, fields))
            answer = asking.read_response()
            assert (answer.status, answer.get("Connection")) == (status, "close")
            assert asking.read_to_end() == b""
    # Who does not wait for the answer has said which.
    client.send(client.head("PUT", "/upload/.hidden", fields) + b"hello")
    answer = client.read_response()
    assert (answer.status, answer.get("Connection")) == (403, None)
    assert client.request("GET", "/").status == 200


def test_10_1_1_another_expectation_is_417(client: RawClient) -> None:
    client.send(client.head("GET", "/", [("Expect", "the-unexpected")]))
    assert client.read_response().status == 417


def test_10_1_1_nothing_is_said_where_no_body_comes_or_to_1_0(client: RawClient) -> None:
    assert client.request("GET", "/", [("Expect", "100-continue")]).status == 200
    client.send(
        client.head(
            "PUT", "/upload/old.txt", [("Expect", "100-continue"), ("Content-Length", "1")], version="1.0"
        )
    )
    client.send(b"x")
    assert client.read_response().status == 201
    with RawClient(f"http://{client.host}") as other:
        assert other.request("DELETE", "/upload/old.txt").status == 204


def test_14_3_files_say_that_they_have_ranges(client: RawClient) -> None:
    assert client.request("GET", "/").get("Accept-Ranges") == "bytes"


def test_15_3_5_no_content_is_what_it_says(client: RawClient) -> None:
    answer = client.request("OPTIONS", "/")
    assert (answer.status, answer.get("Content-Length"), answer.body) == (204, None, b"")


def test_15_5_22_upgrade_required_says_to_what(client: RawClient) -> None:
    answer = client.request("GET", "/ws/echo")
    assert (answer.status, answer.get("Upgrade"), answer.get("Connection")) == (426, "websocket", "Upgrade")
