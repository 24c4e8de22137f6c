"""A disk that fails when a test says so: for the daemon, whose calls to the C library go through ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("faulty_disk.c")


class FaultyDisk:
    """Files with `fault` or `ioto-` in their path fail, once `fail` has been called."""

    def __init__(self, folder: Path) -> None:
        """Make the library in `folder`."""
        self._calls = folder / "calls"
        self._calls.mkdir(parents=True)
        library = folder / "faulty_disk.so"
        # What fails is found by name, so nothing may be inlined or renamed by the library's own headers.
        options = ["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-Wall", "-Werror"]
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, *options, "-o", library, _SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "FAULTY_DISK": str(self._calls)}
        """For the process whose disk this is."""

    def fail(self, call: str, number: int) -> None:
        """Have `write`, `fsync` or `read` fail with this errno from now on."""
        part = self._calls.with_name("part")
        part.write_text(str(number))
        part.rename(self._calls / call)

    def mend(self) -> None:
        """Nothing fails any more."""
        for call in self._calls.iterdir():
            call.unlink()
