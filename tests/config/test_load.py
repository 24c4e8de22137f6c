"""Finding, reading and laying files over each other, and the form of the root (SPEC 2)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import json5
import pytest

from ioto_server.config import Config, ConfigError, find_config, load_config
from ioto_server.config.load import MOST_DROP_INS
from ioto_server.config.source import LARGEST
from tests.config.helpers import Load, errors, messages, nobody

# Finding


def test_the_file_named_is_the_one(tmp_path: Path) -> None:
    assert find_config(tmp_path / "other.json5") == tmp_path / "other.json5"


def test_places_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/web.json5").write_text("{}")
    assert find_config(None) == Path("etc/web.json5")
    (tmp_path / "web.json5").write_text("{}")
    assert find_config(None) == Path("web.json5")


def test_none_found_suggests_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_config(None)
    assert "./web.json5, ./etc/web.json5, /etc/ioto-server/web.json5" in str(caught.value)
    assert "ioto-server init DIR" in str(caught.value)


# Reading


def test_a_file_over_128_kb_is_refused_before_it_is_parsed(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    blanks = " " * (LARGEST - 2)
    assert load("{" + blanks + "}").config == load("{}").config
    monkeypatch.setattr(json5, "loads", lambda text: pytest.fail("parsed"))
    assert errors(load, "{" + blanks + "} ") == [": the file is larger than 128 KB"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.symlink_to(path), "cannot be read"),
    ],
    ids=["missing", "folder", "loop"],
)
def test_what_cannot_be_read(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path / "web.json5")
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "web.json5", environ={})


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, ""])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_config(tmp_path / name if name else Path(), environ={})


@pytest.mark.parametrize(
    ("locked", "message"),
    [("web.json5", "may not be read by this user"), ("web.d", "cannot be read: Permission")],
)
def test_what_may_not_be_read(locked: str, message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "web.json5").write_text("{}")
        Path(folder, "web.d").mkdir()
        Path(folder, locked).chmod(0)
        with nobody(), pytest.raises(ConfigError, match=message):
            load_config(Path(folder, "web.json5"), environ={})


def test_a_byte_order_mark_is_a_blank(load: Load) -> None:
    assert load("\ufeff{ index: 'a.html' }").config.index == "a.html"


# The two forms of the root, and what is skipped


def test_both_forms_mean_the_same(load: Load) -> None:
    flat = load("{ limits: { maxFrame: '64K' }, log: { level: 'debug' } }")
    under = load("{ web: { limits: { maxFrame: '64K' } }, log: { level: 'debug' } }")
    assert flat.config == under.config
    assert flat.config.limits.max_frame == 65536
    assert flat.config.log.level == "debug"
    assert not flat.warnings
    assert not under.warnings


def test_blocks_that_are_commented_out_are_skipped_in_silence(load: Load) -> None:
    inside = "_listen: 1, limits: { _maxFrame: 1 }, routes: [{ _match: 1 }], headers: { _x: 1 }, _auth: {}"
    loaded = load(f"{{ $schema: 'x', {inside} }}")
    assert not loaded.warnings
    assert loaded.config.headers == {}


def test_an_empty_object_is_the_defaults(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    assert load("{}").config == Config()
    assert load("{ web: {} }").config == Config()


def test_a_repeated_key_is_named_and_the_last_one_counts(load: Load) -> None:
    loaded = load("{ limits: { body: 1,\n body: 2 }, index: 'a',\n index: 'b', _x: { a: 1, a: 2 } }")
    assert loaded.config.limits.body == 2
    assert loaded.config.index == "b"
    assert messages(loaded) == [
        "limits.body: is set a second time; 1 of line 1 has no effect",
        "index: is set a second time; 'a' of line 2 has no effect",
    ]


DOTS = "names with dots are written as objects inside each other: limits: { maxFrame: ... }"
LIST = "`ioto-server explain` lists the directives; a key that begins with _ is skipped in silence"


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("{ limit: {} }", "limit", "did you mean limits?"),
        ("{ limits: { maxframe: 1 } }", "limits.maxframe", "did you mean maxFrame?"),
        ("{ webSocket: {} }", "webSocket", "did you mean webSockets?"),
        ("{ websockets: {} }", "websockets", "did you mean webSockets?"),
        ("{ maxFrame: 1 }", "maxFrame", "it belongs elsewhere: limits: { maxFrame: ... }"),
        ("{ limits: { ping: 1 } }", "limits.ping", "it belongs elsewhere: webSockets: { ping: ... }"),
        ("{ match: '/' }", "match", "it belongs elsewhere: routes: [{ match: ... }]"),
        ("{ timeouts: { index: 1 } }", "timeouts.index", "it belongs elsewhere: index: ..."),
        ("{ routes: [{}, { mach: '/' }] }", "routes[1].mach", "did you mean match?"),
        ("{ 'limits.maxFrame': 1 }", "['limits.maxFrame']", DOTS),
        ("{ tls: { certificate: 'x', keys: 'x' } }", "tls.keys", "did you mean key?"),
        ("{ frobnicate: 1 }", "frobnicate", LIST),
    ],
)  # fmt: skip
def test_unknown_keys_are_warnings_with_the_name_that_was_meant(
    text: str, path: str, hint: str, load: Load
) -> None:
    try:
        warnings = load(text).warnings
    except ConfigError as error:
        warnings = error.warnings
    unknown = [problem for problem in warnings if "not known" in problem.message]
    assert [(problem.path, problem.hint, problem.severity) for problem in unknown] == [
        (path, hint, "warning")
    ]


# Paths


def test_relative_paths_start_at_the_folder_of_the_file(load: Load, tmp_path: Path) -> None:
    config = load(
        "{ documents: 'site', actions: ['../a', '/b'], control: './c', log: { path: 'x.log' } }"
    ).config
    here = Path(os.path.realpath(tmp_path))
    assert config.documents == here / "site"
    assert config.actions == (here.parent / "a", Path("/b"))
    assert config.control == here / "c"
    assert config.log.path == here / "x.log"
    assert not config.documents_is_site


def test_a_link_stays_a_link(load: Load, tmp_path: Path) -> None:
    """A release is switched, and a certificate renewed, by putting another link in its place."""
    (tmp_path / "one").mkdir()
    (tmp_path / "current").symlink_to("one")
    assert load("{ documents: 'current' }").config.documents.name == "current"


def test_the_control_socket_is_in_the_runtime_folder(load: Load, tmp_path: Path) -> None:
    here = Path(os.path.realpath(tmp_path))
    assert load("{}").config.control == here / "run/control.sock"
    assert load("{}", RUNTIME_DIRECTORY="/run/web:/run/x").config.control == Path("/run/web/control.sock")
    assert load("{ control: '$RUNTIME_DIRECTORY/x' }").config.control == here / "run/x"


def test_the_packaged_site(load: Load) -> None:
    assert load("{}").config.documents_is_site
    assert (load("{ documents: '@site' }").config.documents).name == "site"


# Laid over each other


def test_drop_ins_are_laid_over_in_the_order_of_their_names(load: Load, tmp_path: Path) -> None:
    loaded = load(
        "{ limits: { body: 1, header: 2 }, listen: ['http://:1', 'http://:2'] }",
        drop_ins={
            "20-b.json5": "{ limits: { body: 30 } }",
            "10-a.json5": "{ web: { limits: { body: 20, upload: 20 }, listen: 'http://:3' } }",
            ".hidden.json5": "{ limits: { body: 99 } }",
            "_off.json5": "{ limits: { body: 99 } }",
            "readme.txt": "not read",
        },
    )
    assert (loaded.config.limits.body, loaded.config.limits.header, loaded.config.limits.upload) == (
        30,
        2,
        20,
    )
    assert [str(endpoint) for endpoint in loaded.config.listen] == ["http://:3"]
    assert [file.name for file in loaded.files] == ["web.json5", "10-a.json5", "20-b.json5"]


def test_the_last_name_wins_in_whatever_order_files_were_made(load: Load) -> None:
    names = ["5", "2", "9", "0", "7", "1", "8", "3", "6", "4"]
    drop_ins = {f"{name}.json5": f"{{ limits: {{ body: 1{name} }} }}" for name in names}
    loaded = load("{}", drop_ins=drop_ins)
    assert loaded.config.limits.body == 19
    assert [file.stem for file in loaded.files[1:]] == sorted(names)


def test_a_problem_in_a_drop_in_is_told_with_its_name(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("{}", drop_ins={"a.json5": "{\n  limits: { body: 'x', bdy: 1 } }"})
    (problem,) = caught.value.problems
    assert problem.file.endswith("/web.d/a.json5")
    assert (problem.line, problem.column) == (2, 19)
    assert caught.value.warnings[0].file == problem.file


def test_syntax_errors_of_several_files_come_together(load: Load) -> None:
    assert len(errors(load, "{ a }", drop_ins={"a.json5": "{ b }", "b.json5": "{ index: 1 }"})) == 2


def test_drop_ins_are_bounded(load: Load) -> None:
    names = {f"{number:03}.json5": "{}" for number in range(MOST_DROP_INS + 1)}
    assert errors(load, "{}", drop_ins=names) == [f": holds more than {MOST_DROP_INS} files"]


# Everything at once


def test_all_problems_come_together_errors_and_warnings_in_the_order_of_the_file(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("{ wokers: 1,\n limits: { body: 'x', memory: 5, maxBacklog: 6 },\n index: '' }")
    places = [
        line.partition(" ")[0].rpartition("web.json5")[2]
        for line in str(caught.value).splitlines()
        if "web.json5" in line
    ]
    assert places == [":1:3:", ":2:18:", ":2:46:", ":3:9:"]


def test_checks_across_directives_run_beside_wrong_values(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("{ limits: { body: 'x', maxFrame: '1MB', maxMessage: '1K' }, redirect: [{ from: '/', to: 5 }] }")
    assert {problem.path for problem in caught.value.problems} == {"limits.body", "redirect[0].to"}
    assert [problem.path for problem in caught.value.warnings] == ["limits.maxFrame"]


def test_a_problem_is_readable_by_programs(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("{ limits: { body: 'x' } }")
    (problem,) = caught.value.problems
    assert problem.as_dict() == {
        "message": "'x' is not a size",
        "hint": "write a number of bytes, a string with a unit such as '128K' or '1.5 MB', or 'unlimited'",
        "file": problem.file,
        "line": 1,
        "column": 19,
        "path": "limits.body",
        "found": "'x'",
        "severity": "error",
        "excerpt": "",
    }
