"""WSS is WS: the daemon's tests, run again over TLS with this folder's `start_daemon` and `daemon`.

Left out are those that are about something else (configuration, plugins), and those of a stream that is
shut on one side only, which TLS does not have: see test_end_of_stream.py.
"""

from tests.clients.test_frames import (
    client,
    test_a_close_inside_a_fragmented_message_is_answered,
    test_a_close_is_answered_with_its_code,
    test_a_frame_over_max_frame_is_refused_from_its_header,
    test_a_long_message_is_sent_in_frames_of_max_frame,
    test_a_ping_is_answered_with_the_same_payload,
    test_a_pong_nobody_asked_for_is_ignored,
    test_a_violation_fails_the_connection,
    test_an_echo_has_the_shortest_length_and_no_mask,
    test_an_empty_close_is_answered_empty,
    test_everything_after_a_close_is_discarded,
    test_one_byte_at_a_time,
)
from tests.daemon.test_limits import (
    test_a_client_that_stops_reading_is_closed_as_a_slow_consumer,
    test_an_action_that_stops_receiving_lets_tcp_do_the_rest,
    test_at_the_limits_all_is_well,
    test_over_a_limit_received_is_1009,
    test_over_limits_connections_is_503,
    test_over_limits_header_is_431,
    test_over_limits_per_address_is_503,
    test_over_limits_requests_the_connection_is_closed,
    test_the_close_of_who_is_over_limits_memory_follows_the_frame_in_progress,
)
from tests.daemon.test_start_stop import (
    test_a_client_that_never_answers_is_not_waited_for_for_ever,
    test_a_second_signal_ends_at_once,
    test_a_signal_closes_websockets_with_1001_and_exits_0,
    test_it_stops_accepting_at_once,
)
from tests.daemon.test_timeouts import (
    test_a_client_that_says_nothing_is_closed_in_silence,
    test_a_ping_comes_again_and_again,
    test_an_idle_http_connection_is_closed,
    test_any_byte_after_a_ping_is_a_sign_of_life,
    test_half_a_header_is_answered_408,
    test_inactivity_closes_with_1001,
    test_silence_after_a_ping_closes_with_1011,
    test_the_peers_time_stands_still_while_an_action_blocks_the_loop,
    test_the_request_timeout_closes_with_1001,
)

__all__ = [
    "client",
    "test_a_client_that_never_answers_is_not_waited_for_for_ever",
    "test_a_client_that_says_nothing_is_closed_in_silence",
    "test_a_client_that_stops_reading_is_closed_as_a_slow_consumer",
    "test_a_close_inside_a_fragmented_message_is_answered",
    "test_a_close_is_answered_with_its_code",
    "test_a_frame_over_max_frame_is_refused_from_its_header",
    "test_a_long_message_is_sent_in_frames_of_max_frame",
    "test_a_ping_comes_again_and_again",
    "test_a_ping_is_answered_with_the_same_payload",
    "test_a_pong_nobody_asked_for_is_ignored",
    "test_a_second_signal_ends_at_once",
    "test_a_signal_closes_websockets_with_1001_and_exits_0",
    "test_a_violation_fails_the_connection",
    "test_an_action_that_stops_receiving_lets_tcp_do_the_rest",
    "test_an_echo_has_the_shortest_length_and_no_mask",
    "test_an_empty_close_is_answered_empty",
    "test_an_idle_http_connection_is_closed",
    "test_any_byte_after_a_ping_is_a_sign_of_life",
    "test_at_the_limits_all_is_well",
    "test_everything_after_a_close_is_discarded",
    "test_half_a_header_is_answered_408",
    "test_inactivity_closes_with_1001",
    "test_it_stops_accepting_at_once",
    "test_one_byte_at_a_time",
    "test_over_a_limit_received_is_1009",
    "test_over_limits_connections_is_503",
    "test_over_limits_header_is_431",
    "test_over_limits_per_address_is_503",
    "test_over_limits_requests_the_connection_is_closed",
    "test_silence_after_a_ping_closes_with_1011",
    "test_the_close_of_who_is_over_limits_memory_follows_the_frame_in_progress",
    "test_the_peers_time_stands_still_while_an_action_blocks_the_loop",
    "test_the_request_timeout_closes_with_1001",
]
