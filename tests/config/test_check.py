"""Whether a configuration can be used, and what changed from one to the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ioto_server.config import Config
from ioto_server.config.check import check
from ioto_server.config.diff import diff
from tests.config.helpers import Load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "web.json5"


def test_a_good_file(file: Path) -> None:
    file.write_text("{}")
    outcome = check(file, environ={})
    assert outcome.ok
    assert outcome.loaded is not None
    assert outcome.text == f"{file}: no problems"
    assert outcome.json == {"file": str(file), "ok": True, "problems": []}


def test_warnings_are_errors_only_where_asked(file: Path) -> None:
    file.write_text("{ limts: {} }")
    outcome = check(file, environ={})
    assert outcome.ok
    assert outcome.text == (
        f"{file}:1:3: warning: limts: is not known and has no effect\n  -> did you mean limits?\n1 warning"
    )
    strict = check(file, strict=True, environ={})
    assert not strict.ok
    assert strict.text.endswith("1 warning (--strict: warnings count as errors)")


def test_a_bad_file(file: Path) -> None:
    file.write_text("{ limits: { body: 'x' },\n limts: {} }")
    outcome = check(file, environ={})
    assert not outcome.ok
    assert outcome.loaded is None
    assert outcome.text.endswith("1 error, 1 warning")
    problems = json.loads(json.dumps(outcome.json))["problems"]
    assert [(problem["severity"], problem["path"], problem["line"]) for problem in problems] == [
        ("error", "limits.body", 1),
        ("warning", "limts", 2),
    ]


def test_overrides_are_checked_too(file: Path) -> None:
    file.write_text("{}")
    assert not check(file, overrides=[("workers", "x")], environ={}).ok
    assert not check(file, environ={"IOTO_SET_WORKERS": "x"}).ok


def test_no_file_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = check(environ={})
    assert not outcome.ok
    assert "no configuration found" in outcome.text


# What changed


def test_nothing_changed() -> None:
    changes = diff(Config(), Config())
    assert not changes
    assert str(changes) == "nothing changed"


def test_what_a_reload_applies_and_what_takes_a_restart(load: Load) -> None:
    before = load("{ limits: { body: 1 }, listen: 'http://:1', workers: 1 }").config
    log = "log: { level: 'debug', path: 'stderr' }"
    after = load(f"{{ limits: {{ body: 2 }}, listen: ['http://:1', 'http://:2'], workers: 2, {log} }}").config
    changes = diff(before, after)
    assert changes
    assert [change.path for change in changes.live] == ["listen", "limits.body", "log.level"]
    assert [change.path for change in changes.restart] == ["log.path", "workers"]
    assert str(changes) == (
        "listen: ['http://:1'] -> ['http://:1', 'http://:2']\n"
        "limits.body: 1 -> 2\n"
        "log.level: 'info' -> 'debug'\n"
        "log.path: 'stdout' -> 'stderr' (takes a restart)\n"
        "workers: 1 -> 2 (takes a restart)"
    )
    assert changes.has("limits")
    assert changes.has("limits.body")
    assert changes.has("workers")
    assert not changes.has("limit")
    assert not changes.has("limits.header")


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("routes: []", "routes: null -> []"),
        ("routes: [{ match: '/a', role: 'public' }]", "routes: null -> [{ match: '/a', role: 'public' }]"),
        ("headers: { A: 'b' }", "headers: {} -> { A: 'b' }"),
        (
            "webSockets: { compress: { level: 9 } }",
            "webSockets.compress: false -> { level: 9, windowBits: 12, ",
        ),
        (
            "metrics: {}",
            "metrics: false -> { listen: 'http://localhost:4101', path: '/metrics' } (takes a restart)",
        ),
        ("webSockets: { protocol: null }", "webSockets.protocol: ['chat'] -> null"),
        ("timeouts: { request: 'never' }", "timeouts.request: null -> 'never'"),
    ],
)
def test_changes_are_told_as_they_are_written(text: str, change: str, load: Load) -> None:
    assert str(diff(load("{}").config, load(f"{{ {text} }}").config)).startswith(change)


def test_the_same_said_differently_is_no_change(load: Load) -> None:
    one = load("{ limits: { body: '1K' }, timeouts: { parse: '1 min' }, listen: 'http://:80' }").config
    other = load("{ limits: { body: 1024 }, timeouts: { parse: 60 }, listen: ['http://:80/'] }").config
    assert not diff(one, other)
