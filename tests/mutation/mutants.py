"""The mutants: mutmut changes the source at one place each; here they become functions to be put in place.

mutmut itself runs every mutant through a dispatcher that is many times slower than the code it dispatches to,
and pytest anew for each. Its mutants and their names are kept, the rest is done in run.py.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from mutmut.mutation.file_mutation import mutate_file_contents

from ioto_server import websocket
from ioto_server.websocket import frames, reader

FOLDER = Path(websocket.__file__).parent
#: Where mutmut's output is imported from, beside the real package.
TWIN = "ioto_mutated_websocket"

_SEPARATOR = "ǁ"
#: Functions from which tables are computed when their module is imported, and the one that looks there.
AT_IMPORT = dict.fromkeys(("frames.first_byte_error", "frames._verdicts"), "reader.FrameReader._parse_header")


@dataclass(frozen=True)
class Mutant:
    """One small mistake. `name` as mutmut's: `frames.header 3`; `digest` is of its source."""

    name: str
    target: str
    function: FunctionType
    mistaken: FunctionType
    digest: str

    def put_in_place(self) -> None:
        """Make the mistake, for everybody who holds the function already."""
        self.function.__code__ = self.mistaken.__code__.replace(co_name=self.function.__name__)
        self.function.__defaults__ = self.mistaken.__defaults__
        self.function.__kwdefaults__ = self.mistaken.__kwdefaults__
        if self.target in AT_IMPORT:
            verdicts: Callable[[bool, bool], bytes] = frames._verdicts
            tables = tuple(verdicts(inside, packed) for packed in (False, True) for inside in (False, True))
            frames.VERDICTS = reader.VERDICTS = tables  # type: ignore[assignment,misc]


def make_mutants(modules: list[str], folder: Path) -> list[Mutant]:
    """Import the mutated package, made in `folder` where it is not there yet; return the modules' mutants."""
    twin = folder / TWIN
    twin.mkdir(parents=True, exist_ok=True)
    texts = {}
    for source in FOLDER.glob("*.py"):
        text = source.read_text()
        if source.stem in modules:
            texts[source.stem] = mutated = folder / f"{source.stem}-{_digest(text)}.json"
            if not mutated.exists():
                mutated.write_text(json.dumps(_mutated(source, text)))
            text = json.loads(mutated.read_text())["code"]
        (twin / source.name).write_text(text)
    sys.path.insert(0, str(folder))
    found = []
    for name in modules:
        real = importlib.import_module(f"{websocket.__name__}.{name}")
        wrong = importlib.import_module(f"{TWIN}.{name}")
        for mangled, text in json.loads(texts[name].read_text())["mutants"].items():
            target, _, number = mangled.rpartition("__mutmut_")
            found.append(
                Mutant(
                    f"{name}.{_plain(target)} {number}",
                    f"{name}.{_plain(target)}",
                    _function(real, target, _plain(target).rpartition(".")[2]),
                    _function(wrong, target, mangled),
                    _digest(text),
                )
            )
    return found


def _mutated(source: Path, text: str) -> dict[str, Any]:
    """The whole file with all its mutants, and the text of each; takes mutmut seconds."""
    mutated = mutate_file_contents(str(source), text)
    lines = mutated.code.splitlines()
    spans = mutated.line_span_by_function_name
    return {
        "code": mutated.code,
        "mutants": {
            name: "\n".join(lines[spans[name].start - 1 : spans[name].end]) for name in mutated.mutant_names
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(mangled: str) -> str:
    """`xǁReceiverǁhold` is Receiver.hold, `x_header` is header."""
    return ".".join(mangled.split(_SEPARATOR)[1:]) if _SEPARATOR in mangled else mangled[2:]


def _function(module: ModuleType, target: str, name: str) -> FunctionType:
    owner: Any = getattr(module, target.split(_SEPARATOR)[1]) if _SEPARATOR in target else module
    function = vars(owner)[name]
    assert type(function) is FunctionType, f"{name} of {owner} is no function but {function!r}"
    return function


def functions_of(mutants: list[Mutant]) -> Iterator[tuple[str, FunctionType]]:
    """Each function that has mutants, with its name."""
    yield from {mutant.target: mutant.function for mutant in mutants}.items()
