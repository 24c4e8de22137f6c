"""Compile the modules on the way of every message; all else about the package stands in pyproject.toml.

Without Cython, a C compiler or Python's headers, or with IOTO_PURE=1, the package is installed as plain
Python: it does the same, slower. What is compiled is listed in ioto_server/build.py.
"""

from __future__ import annotations

import os
from pathlib import Path
from runpy import run_path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

# Run by its path: to import it would import the package, which is not installed yet.
build = run_path("ioto_server/build.py", run_name="setup")

# Loops over bytes, worth every vector.
OPTIMIZED = ("websocket/", "server/plain", "server/secure")


class BuildAllOrNone(build_ext):
    """The compiled modules call each other's C functions, so one that failed takes the others with it."""

    def run(self) -> None:
        self.parallel = self.parallel or os.cpu_count()
        try:
            super().run()
        except (BaseError, CCompilerError) as error:
            print(f"ioto-server: not compiled, so it will run as plain Python, slower: {error}")
            for extension in self.extensions:
                for folder in (Path(self.build_lib), Path()):
                    (folder / self.get_ext_filename(extension.name)).unlink(missing_ok=True)
            self.extensions = []


def extensions() -> list[Any]:
    """Return what is to be compiled; nothing where Cython is missing or pure Python is forced."""
    if build["pure_is_forced"]():
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    wanted = []
    for module in build["COMPILED"]:
        files = build["sources"](module, Path("ioto_server"))
        chosen = next((file for file in files if file.suffix == ".pyx"), files[0])
        wanted.append(
            Extension(
                "ioto_server." + module.replace("/", "."),
                [str(chosen)],
                depends=[str(file) for file in files],
                include_dirs=[str(chosen.parent)],
                # What mostly calls Python is as quick with -O1, and made in half the time. Debug information
                # is ten times the size of the code.
                extra_compile_args=["-O3" if module.startswith(OPTIMIZED) else "-O1", "-g0"],
            )
        )
    return list(
        cythonize(
            wanted,
            build_dir="build/cython",
            nthreads=os.cpu_count() or 1,
            quiet=True,
            compiler_directives={
                "language_level": 3,
                # The types stand in the .pxd files; annotations are for people and mypy.
                "annotation_typing": False,
                "auto_pickle": False,
                # A field that is None is an AttributeError in both builds, never a crash.
                "nonecheck": True,
            },
        )
    )


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildAllOrNone})
