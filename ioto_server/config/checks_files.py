"""Checks of folders and sockets: what would be served, or run as code, that must not be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ioto_server.config.problems import Problem
from ioto_server.config.readers import is_site
from ioto_server.config.view import View

# The longest path of a unix socket, less its NUL (sun_path of unix(7)).
_LONGEST_SOCKET = 107


def check_folders(view: View) -> Iterator[Problem]:
    """Find documents that give away actions or keys, uploads that would be run, missing folders."""
    for path, folder, writable in _documents(view):
        yield from _secrets(view, path, folder)
        if writable:
            yield from _runs_uploads(view, path, folder)
        else:
            yield from _folder(view, path, folder, "files")
    for index, folder in enumerate(view.config.actions):
        if view.node("actions"):
            listed = len(view.config.actions) > 1
            yield from _folder(view, f"actions[{index}]" if listed else "actions", folder, "actions")
    yield from _forms(view)
    yield from _log(view)


def _documents(view: View) -> Iterator[tuple[str, Path, bool]]:
    """Give every folder that is served: its directive, the folder, and whether clients may write into it."""
    config = view.config
    routes = [
        (path, route) for path, route in view.routes() if route.handler == "file" and route.redirect is None
    ]
    shared = [route for _, route in routes if route.documents is None]
    if config.routes is None or shared:
        yield "documents", config.documents, any(_writes(route.methods) for route in shared)
    for path, route in routes:
        if route.documents is not None:
            yield f"{path}.documents", route.documents, _writes(route.methods)


def _writes(methods: tuple[str, ...]) -> bool:
    return "PUT" in methods or "DELETE" in methods


def _secrets(view: View, path: str, folder: Path) -> Iterator[Problem]:
    """What lies under a served folder is served: that must be neither code nor a key."""
    config = view.config
    if is_site(folder):
        return
    for actions in config.actions:
        if _inside(actions, folder):
            yield view.problem(
                path,
                f"is a folder that holds the actions ({actions}): their source would be served",
                "give the files a folder of their own, such as 'site'",
            )
    if config.tls:
        for name, file in (("key", config.tls.key), ("certificate", config.tls.certificate)):
            # A certificate is public, unless the key stands in the same file.
            if file and _inside(file, folder) and (name == "key" or config.tls.key is None):
                yield view.problem(
                    path,
                    f"is a folder that holds tls.{name} ({file}): the private key would be served",
                    "move the key out of it, or give the files a folder of their own",
                )
    file = Path(os.path.realpath(view.file))
    if _inside(file, folder):
        yield view.warn(
            path,
            f"is a folder that holds this configuration: it would be served as /{_relative(file, folder)}",
            "give the files a folder of their own, such as 'site'",
        )
    if isinstance(config.log.path, Path) and _inside(config.log.path, folder):
        yield view.warn(
            path,
            f"is a folder that holds the log ({config.log.path}): it would be served",
            "give the files a folder of their own, such as 'site'",
        )


def _runs_uploads(view: View, path: str, folder: Path) -> Iterator[Problem]:
    """What clients put into a folder of actions is run as code at the next reload."""
    for actions in view.config.actions:
        if _inside(folder, actions):
            yield view.problem(
                path,
                f"is inside the actions ({actions}) and clients may PUT files: they would be run as code",
                "write a folder of its own, such as 'upload'",
            )


def _folder(view: View, path: str, folder: Path, holds: str) -> Iterator[Problem]:
    mode = _mode(folder)
    if mode is None or stat.S_ISDIR(mode) or not view.node(path):
        return
    if mode:
        yield view.problem(path, f"is not a folder ({folder})", f"write the folder that holds the {holds}")
    else:
        yield view.warn(path, f"is a folder that does not exist ({folder})", f"make it: mkdir -p {folder}")


def _forms(view: View) -> Iterator[Problem]:
    """The folder of forms' files, which a start makes where there is none."""
    folder = view.config.upload.dir
    mode = _mode(folder)
    if mode is None:
        return
    if stat.S_ISDIR(mode):
        if not os.access(folder, os.W_OK | os.X_OK):
            yield view.warn(
                "upload.dir",
                f"is a folder that this user may not write to ({folder}): forms with files are answered 500",
                "let the server's user write there, or name another folder",
            )
    elif mode:
        yield view.problem(
            "upload.dir", f"is not a folder ({folder})", "write the folder that holds the uploads"
        )


def _log(view: View) -> Iterator[Problem]:
    """The file of the log, which a start makes, in a folder that is there."""
    path = view.config.log.path
    if not isinstance(path, Path):
        return
    mode, of_parent = _mode(path), _mode(path.parent)
    if mode and stat.S_ISDIR(mode):
        yield view.problem("log.path", f"is a folder ({path})", f"name a file in it: '{path}/web.log'")
    elif of_parent is not None and not stat.S_ISDIR(of_parent):
        yield view.problem(
            "log.path",
            f"is in a folder that does not exist ({path.parent})",
            f"make it: mkdir -p {path.parent}",
        )


def _mode(path: Path) -> int | None:
    """What is at a path (st_mode), 0 for nothing; None where this user may not look, as another may."""
    try:
        return os.stat(path).st_mode
    except PermissionError:
        return None
    except OSError:
        return 0


def _inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, links followed on both sides."""
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(os.path.realpath(path), os.path.realpath(folder))


def check_sockets(view: View) -> Iterator[Problem]:
    """Unix sockets: too long a path, or something else in its place."""
    config = view.config
    single = view.node("listen")
    listed = bool(single and isinstance(single.value, list))
    sockets = [
        (f"listen[{index}]" if listed else "listen", endpoint.path)
        for index, endpoint in enumerate(config.listen)
        if endpoint.path
    ]
    if config.metrics and config.metrics.listen.path:
        sockets.append(("metrics.listen", config.metrics.listen.path))
    for path, socket in (*sockets, ("control", config.control)):
        if view.node(path) and len(os.fsencode(socket)) > _LONGEST_SOCKET:
            message = (
                f"is longer than {_LONGEST_SOCKET} bytes, the most that the path of a unix socket may have"
            )
            yield view.problem(path, message, "write a shorter one, such as '/run/ioto-server/web.sock'")
        try:
            mode = os.stat(socket).st_mode
        except OSError:
            continue
        if not stat.S_ISSOCK(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "a file"
            hint = "write the path of a file that is not there yet; its folder must exist"
            if stat.S_ISDIR(mode):
                hint = f"write the path of a file in it, such as '{socket}/server.sock'"
            yield view.problem(path, f"is the path of {what} and not of a socket ({socket})", hint)
