"""Find web.json5, read it with all that is laid over it, return a `Config` or everything that is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ioto_server.config.checks import cross_check
from ioto_server.config.directives import find
from ioto_server.config.fields import Fault, Faulty
from ioto_server.config.grammar import NotAllowed, Place
from ioto_server.config.instead import object_for
from ioto_server.config.known import Known
from ioto_server.config.model import Config
from ioto_server.config.overrides import from_arguments, from_environment, override
from ioto_server.config.problems import ConfigError, Problem
from ioto_server.config.scan import Document, Node, scan
from ioto_server.config.source import read_source
from ioto_server.config.syntax import quoted, short
from ioto_server.config.tree import locate, merge, settle, skipped, spell
from ioto_server.config.view import View

PLACES = ("web.json5", "etc/web.json5", "/etc/ioto-server/web.json5")
MOST_DROP_INS = 64


class Loaded(NamedTuple):
    """A configuration that can be used.

    `warnings` is what is doubtful about it, `files` what it was read from (the file and its drop-ins), `root`
    the values as they were written, each with its place.
    """

    config: Config
    path: Path
    warnings: list[Problem]
    files: tuple[Path, ...]
    root: Node


def find_config(explicit: Path | None) -> Path:
    """Return the file to load: the one named, or the first that exists of the usual places.

    Raises `ConfigError` when there is none.
    """
    if explicit is not None:
        return explicit
    for place in PLACES:
        if os.path.exists(place):
            return Path(place)
    looked = ", ".join(place if place.startswith("/") else f"./{place}" for place in PLACES)
    hint = "`ioto-server init DIR` writes a small working project, `--config FILE` names a file elsewhere"
    raise ConfigError([Problem(f"no configuration found; looked for {looked}", hint)])


def load_config(
    path: Path, *, overrides: Sequence[tuple[str, str]] = (), environ: Mapping[str, str] | None = None
) -> Loaded:
    """Load and check a configuration.

    `path` is the file; drop-ins beside it (`web.d/*.json5`) are laid over it in the order of their names,
    then the variables `IOTO_SET_<PATH>` of `environ` (default: the process's), then `overrides`: the (path,
    value text) of each `--set`. Raises `ConfigError` with every problem found; a syntax error is reported
    alone.
    """
    environ = os.environ if environ is None else environ
    files = (path, *_drop_ins(path))
    problems: list[Problem] = []
    root = _files(files, problems)
    for name, directive, text in (*from_environment(environ), *from_arguments(overrides)):
        node = override(name, directive, text, problems)
        if node is not None:
            root = merge(root, _keep(node, problems))
    place = Place(Path(os.path.realpath(path.parent)), environ)
    config, faulty, wrong = _validate(root, place)
    problems += wrong
    problems += cross_check(View(config, root, str(path), frozenset(faulty)))
    errors = [problem for problem in problems if problem.severity == "error"]
    warnings = [problem for problem in problems if problem.severity == "warning"]
    if errors:
        raise ConfigError(errors, warnings)
    return Loaded(config, path, warnings, files, root)


def _drop_ins(path: Path) -> list[Path]:
    """Return the drop-ins of a file: for web.json5, web.d/*.json5."""
    folder = path.with_suffix(".d") if path.name else path
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json5") and name[0] not in "._")
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return []
    except OSError as error:
        hint = f"let the server's user read it: chmod o+rx {folder}"
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", hint, str(folder))]) from None
    if len(names) > MOST_DROP_INS:
        hint = "put what belongs together into one file"
        raise ConfigError([Problem(f"holds more than {MOST_DROP_INS} files", hint, str(folder))])
    return [folder / name for name in names]


def _files(files: Sequence[Path], problems: list[Problem]) -> Node:
    """Read the files and lay them over each other. Raises `ConfigError` for what cannot be read or parsed."""
    documents: list[Document] = []
    broken: list[Problem] = []
    for file in files:
        try:
            documents.append(scan(read_source(file)))
        except ConfigError as error:
            broken += error.problems
    if broken:
        raise ConfigError(broken)
    trees = []
    for document in documents:
        problems += _repeats(document)
        trees.append(_keep(settle(document, problems), problems))
    root = trees[0]
    for tree in trees[1:]:
        root = merge(root, tree)
    return root


def _keep(root: Node, problems: list[Problem]) -> Node:
    known = Known()
    kept = known.keep(root)
    problems += known.problems
    return kept


def _repeats(document: Document) -> list[Problem]:
    """Name keys that stand twice in one object: JSON5 takes the last in silence."""
    problems = []
    for repeat in document.repeats:
        path = repeat.path.removeprefix("web.")
        if any(skipped(part) for part in path.split(".")):
            continue
        source = repeat.second.source
        first, second = source.place(repeat.first.key), source.place(repeat.second.key)
        where = f"line {first[0]}" if first[0] != second[0] else f"column {first[1]}"
        message = f"is set a second time; {short(repeat.first.text)} of {where} has no effect"
        problems.append(
            source.problem(
                message, "take one of them out", offset=repeat.second.key, path=path, severity="warning"
            )
        )
    return problems


def _validate(root: Node, place: Place) -> tuple[Config, set[str], list[Problem]]:
    """Make the model; where values are wrong, make it without them too, so that the other checks can run.

    Returns the model, the paths that were left out, and the problems.
    """
    data = root.plain()
    try:
        return Config.read(data, place), set(), []
    except Faulty as error:
        faults = error.faults
    problems = [_problem(fault, root) for fault in faults]
    faulty = {spell(fault.where) for fault in faults}
    for fault in faults:
        _leave_out(data, fault)
    try:
        return Config.read(data, place), faulty, problems
    except Faulty as error:
        # Something that must be there was wrong: its object goes too.
        for fault in error.faults:
            data.pop(fault.where[0], None)
            faulty.add(str(fault.where[0]))
    return Config.read(data, place), faulty, problems


def _leave_out(data: Any, fault: Fault) -> None:
    """Take a wrong value out: a member of an object alone, an item of a list with its list."""
    where = fault.where
    if fault.missing:
        data.pop(where[0], None)
        return
    holder, last = data, where[0]
    inside = data
    for part in where:
        if isinstance(inside, dict) and part in inside:
            holder, last = inside, part
            inside = inside[part]
        elif isinstance(inside, list) and isinstance(part, int) and part < len(inside):
            inside = inside[part]
        else:
            break
    holder.pop(last, None)


def _problem(fault: Fault, root: Node) -> Problem:
    """Say what does not fit, in terms of the file."""
    node, depth = locate(root, fault.where)
    # One value may stand for a list of one: it has no index in the file.
    path = spell(fault.where if fault.missing or depth == 0 else fault.where[:depth])
    offset = node.start
    directive = find(path)
    if fault.missing and directive:
        hint = f"write {directive.key}: {quoted(directive.example)}, for example"
        return node.source.problem("is missing", hint, offset=offset, path=path)
    found = short(node.text)
    if fault.in_name:
        offset, found = node.key, quoted(str(fault.where[-1]))
    error = fault.error
    allowed = error.allowed if isinstance(error, NotAllowed) else directive.allowed if directive else ""
    if error is not None:
        hint = error.hint or f"write {allowed}"
        return node.source.problem(f"{found} {error.why}", hint, offset=offset, path=path, found=found)
    if directive and directive.model:
        allowed = object_for(directive, node.plain(), item=path.endswith("]"))
    return node.source.problem(
        f"{found} is not an object", f"write {allowed}", offset=offset, path=path, found=found
    )
