"""Every limit and timeout, and where it is shown: in memory, by a clock or bytes, and by the real daemon.

A directive that is added to the configuration must come here; a test that is named must exist, and the words
that the peer is told must stand in both.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

from ioto_server.config.directives import walk

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Shown:
    """`words`: what the peer reads, or nothing where there is none; `memory` and `daemon`: file and test."""

    directive: str
    words: str
    memory: str
    daemon: str


TABLE = [
    Shown(
        "limits.maxMessage",
        "Message over limits.maxMessage (",
        "rfc/violations.py _limits",
        "daemon/test_limits.py test_over_a_limit_received_is_1009",
    ),
    Shown(
        "limits.maxMessage",
        "(100): send less or raise it",
        "session/test_backlog.py test_a_message_over_max_message_is_refused_before_anything_is_written",
        "daemon/test_limits.py test_a_message_over_max_message_is_refused_to_the_action_that_sends_it",
    ),
    Shown(
        "limits.maxFrame",
        "Frame over limits.maxFrame (",
        "rfc/violations.py _limits",
        "daemon/test_limits.py test_over_a_limit_received_is_1009",
    ),
    Shown(
        "limits.maxFrame",
        "",
        "websocket/test_sending.py test_message_over_max_frame_is_split",
        "daemon/test_limits.py test_a_message_over_max_frame_is_sent_in_several",
    ),
    Shown(
        "limits.maxFragments",
        "Message over limits.maxFragments (",
        "rfc/violations.py _limits",
        "daemon/test_limits.py test_over_a_limit_received_is_1009",
    ),
    Shown(
        "limits.maxBacklog",
        "Slow consumer",
        "session/test_backlog.py test_of_a_slow_consumer_only_the_frame_in_progress_leaves_before_the_close",
        "daemon/test_limits.py test_a_client_that_stops_reading_is_closed_as_a_slow_consumer",
    ),
    Shown(
        "limits.maxBacklog",
        "",
        "session/test_backlog.py test_a_slow_consumer_that_is_dropped_for_keeps_its_connection",
        "server/test_running.py test_messages_for_a_slow_consumer_are_dropped_where_asked",
    ),
    Shown(
        "limits.memory",
        "Over limits.memory",
        "session/test_memory.py test_the_largest_holder_is_closed_with_1013_the_others_stay",
        "server/test_running.py test_over_limits_memory_the_largest_holder_is_1013",
    ),
    Shown(
        "limits.connections",
        "The server has limits.connections connections: try again later",
        "server/test_connections.py test_over_the_limit_they_are_refused_until_one_leaves",
        "daemon/test_limits.py test_over_limits_connections_is_503",
    ),
    Shown(
        "limits.perAddress",
        "This address has limits.perAddress connections: close one",
        "server/test_connections.py test_over_the_limit_of_an_address_only_that_address_is_refused",
        "daemon/test_limits.py test_over_limits_per_address_is_503",
    ),
    Shown(
        "limits.header",
        "The request header is over limits.header (RFC 6585 5): send less",
        "http/test_parser.py test_a_header_over_the_limit_is_refused_before_its_end",
        "daemon/test_limits.py test_over_limits_header_is_431",
    ),
    Shown(
        "limits.body",
        "The body is over its limit (RFC 9110 15.5.14): send less",
        "http/test_parser.py test_a_body_over_the_limit_is_refused_before_any_of_it_is_taken",
        "daemon/test_limits.py test_over_limits_body_is_413",
    ),
    Shown(
        "limits.upload",
        "The file is over limits.upload (RFC 9110 15.5.14): send less",
        "http/test_uploads.py test_the_limit_holds_for_announced_and_for_arriving_bytes",
        "daemon/test_uploads.py test_an_upload_may_be_larger_than_another_body_but_not_than_its_limit",
    ),
    Shown(
        "limits.requests",
        "",
        "server/test_http_order.py test_the_last_request_that_is_allowed_closes_the_connection",
        "daemon/test_limits.py test_over_limits_requests_the_connection_is_closed",
    ),
    Shown(
        "timeouts.parse",
        "",
        "server/test_http_time.py test_who_says_nothing_is_closed_in_silence",
        "daemon/test_timeouts.py test_a_client_that_says_nothing_is_closed_in_silence",
    ),
    Shown(
        "timeouts.parse",
        "timeouts.parse: send it at once",
        "server/test_http_time.py test_who_sends_part_of_a_header_is_answered_408",
        "daemon/test_timeouts.py test_half_a_header_is_answered_408",
    ),
    Shown(
        "timeouts.inactivity",
        "Inactivity timeout",
        "session/test_keepalive.py test_inactivity_closes_with_1001",
        "daemon/test_timeouts.py test_inactivity_closes_with_1001",
    ),
    Shown(
        "timeouts.inactivity",
        "The request body did not arrive within timeouts.inactivity",
        "server/test_http_time.py test_a_body_that_stalls_is_408_after_inactivity",
        "server/test_running.py test_a_body_that_stalls_is_408",
    ),
    Shown(
        "timeouts.inactivity",
        "",
        "server/test_http_time.py test_between_requests_inactivity_closes_in_silence",
        "daemon/test_timeouts.py test_an_idle_http_connection_is_closed",
    ),
    Shown(
        "timeouts.inactivity",
        "",
        "session/test_keepalive.py test_deadlines_of_one_connection_may_be_its_own",
        "daemon/test_limits.py test_the_deadlines_of_one_connection_may_be_its_own",
    ),
    Shown(
        "timeouts.request",
        "Request timeout",
        "session/test_keepalive.py test_the_request_time_closes_with_1001",
        "daemon/test_timeouts.py test_the_request_timeout_closes_with_1001",
    ),
    Shown(
        "timeouts.request",
        "There was no answer within timeouts.request",
        "server/test_http_time.py test_an_action_that_computes_is_not_inactivity_of_the_client",
        "server/test_running.py test_an_action_that_does_not_answer_is_503_then_cancelled_and_named",
    ),
    Shown(
        "timeouts.close",
        "",
        "session/test_closing.py test_a_peer_that_does_not_answer_our_close_is_dropped",
        "daemon/test_start_stop.py test_a_client_that_never_answers_is_not_waited_for_for_ever",
    ),
    Shown(
        "timeouts.pong",
        "Keep-alive timeout",
        "session/test_keepalive.py test_silence_after_a_ping_closes_with_1011",
        "daemon/test_timeouts.py test_silence_after_a_ping_closes_with_1011",
    ),
    Shown(
        "timeouts.start",
        "io_start has not ended",
        "plugins/test_loading.py test_an_io_start_that_does_not_end_is_given_up",
        "daemon/test_hanging_starts.py test_a_start_that_takes_too_long_fails",
    ),
    Shown(
        "timeouts.drain",
        "",
        "server/test_http_order.py test_a_stop_waits_for_what_an_action_does_after_the_close",
        "server/test_running.py test_what_does_not_finish_within_timeouts_drain_is_dropped",
    ),
]


def directives() -> set[str]:
    """Every limit and every timeout that the configuration knows."""
    return {one.path for one in walk() if one.path.startswith(("limits.", "timeouts."))}


def test_every_limit_and_timeout_is_in_the_table() -> None:
    assert {one.directive for one in TABLE} == directives()


@pytest.mark.parametrize("one", TABLE, ids=lambda one: f"{one.directive}-{one.daemon.split()[1]}")
def test_what_shows_it_exists_and_has_the_words(one: Shown) -> None:
    for place in (one.memory, one.daemon):
        file, name = place.split()
        text = HERE.joinpath(file).read_text()
        found = [
            ast.get_source_segment(text, node) or ""
            for node in ast.parse(text).body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name
        ]
        assert len(found) == 1, f"tests/{place} is not there"
        decorated = text[: text.index(found[0])].rpartition("\n\n\n")[2] + found[0]
        assert one.words in decorated, f"tests/{place} does not say {one.words!r}"
