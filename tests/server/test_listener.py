"""What connections inherit from the socket they were accepted at."""

from __future__ import annotations

import select
import socket

from ioto_server.config import Endpoint
from ioto_server.server.listener import MOST_UNSENT, bind


def test_the_kernel_takes_little_for_a_client_that_reads_nothing() -> None:
    [listener] = bind(Endpoint("http", "127.0.0.1", 0))
    with listener.socket, socket.create_connection(listener.socket.getsockname()) as client:
        select.select([listener.socket], [], [], 30)
        served, _ = listener.socket.accept()
        with served:
            served.setblocking(False)
            taken = 0
            try:
                while taken < 64 * MOST_UNSENT:
                    taken += served.send(bytes(65536))
            except BlockingIOError:
                pass
            # What has arrived waits in the client's own buffer, and the rest is within the limit.
            arrived = len(client.recv(64 * MOST_UNSENT, socket.MSG_PEEK))
            assert taken - arrived < 3 * MOST_UNSENT
