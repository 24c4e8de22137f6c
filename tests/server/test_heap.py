"""When memory is given back to the system: under pressure and in quiet, not in the midst of traffic."""

from __future__ import annotations

import subprocess
import sys

from ioto_server.server.heap import Heap
from ioto_server.session import Memory

MEGABYTE = 1024 * 1024


class Holder:
    def __init__(self, memory: Memory) -> None:
        self.held = 0
        self._memory = memory

    def relieve(self) -> None:
        self._memory.hold(self, 0)

    abandon = relieve


def test_it_is_given_back_once_it_has_become_quiet() -> None:
    memory = Memory(1000 * MEGABYTE)
    given: list[int] = []
    heap = Heap(memory, given.append)
    holder = Holder(memory)
    for _ in range(30):
        memory.hold(holder, 2 * MEGABYTE)
        memory.hold(holder, 0)
        heap.turn()
    assert given == [], "not in the midst of traffic"
    for _ in range(30):
        heap.turn()
    assert given == [0]


def test_it_is_given_back_while_the_limit_is_being_kept() -> None:
    memory = Memory(10 * MEGABYTE)
    given: list[int] = []
    Heap(memory, given.append)
    for _ in range(3):
        memory.hold(Holder(memory), 6 * MEGABYTE)
    assert len(given) == 2


def test_a_little_is_not_worth_it() -> None:
    memory = Memory(1000 * MEGABYTE)
    given: list[int] = []
    heap = Heap(memory, given.append)
    holder = Holder(memory)
    memory.hold(holder, MEGABYTE)
    memory.hold(holder, 0)
    for _ in range(100):
        heap.turn()
    assert given == []


def test_what_is_freed_is_kept_for_the_next_message() -> None:
    """Memory that the kernel takes back has to be cleared page by page: 256 of them in 1 MiB."""
    program = """if True:
        import resource
        from ioto_server.server.heap import keep_freed
        keep_freed()
        bytes(bytearray(1 << 20))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            bytes(bytearray(1 << 20))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    faults = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(faults.stdout) < 25 * 256, "without, it is 512 a message"


def test_threads_share_one_heap() -> None:
    """Else each keeps what it has freed to itself, and a daemon that reloads grows for its first hours."""
    program = """if True:
        import ctypes, threading
        from ioto_server.server.heap import keep_freed
        keep_freed()
        together = threading.Barrier(4)
        def work():
            kept = [bytes(bytearray(5000)) for _ in range(100)]
            together.wait()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        library = ctypes.CDLL(None)
        library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
        library.fflush(None)
    """
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.count("<heap nr=") == 1, said.stdout
