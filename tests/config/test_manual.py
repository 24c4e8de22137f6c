"""What is made from the model: explain, the reference page, the schema, the shipped file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ioto_server.config import Config, ConfigError, load_config
from ioto_server.config.directives import members, show, walk
from ioto_server.config.explain import explain, explain_values, values
from ioto_server.config.reference import reference
from ioto_server.config.scan import scan
from ioto_server.config.schema import schema
from ioto_server.config.shipped import ACTIVE, shipped
from ioto_server.config.source import Source
from tests.config.helpers import Load
from tests.support import REPOSITORY

# The shipped file


def test_the_shipped_file_is_the_one_made_from_the_model() -> None:
    """To put it right, write what `shipped()` returns into the file."""
    assert (REPOSITORY / "etc/web.json5").read_text() == shipped()


def test_the_shipped_file_loads_without_a_warning_and_routes_as_it_says() -> None:
    loaded = load_config(REPOSITORY / "etc/web.json5", environ={})
    assert not loaded.warnings
    assert loaded.config.actions == (REPOSITORY / "actions",)
    routes = loaded.config.routes
    assert routes is not None
    assert [(route.match, route.methods, route.handler) for route in routes] == [
        ("/upload/", ("DELETE", "GET", "PUT"), "file"),
        ("/ws/", ("GET",), "action"),
        ("/test/", ("GET", "POST"), "action"),
        ("", ("GET", "POST"), "file"),
    ]
    uploads = routes[0].documents
    assert uploads is not None
    assert uploads != loaded.config.documents
    defaults = Config().replace(routes=routes, actions=loaded.config.actions, control=loaded.config.control)
    assert loaded.config == defaults


def test_every_directive_is_in_the_shipped_file_with_both_lines_of_help() -> None:
    plain = re.sub(r"^[ /]*", "", shipped(), flags=re.MULTILINE)
    for directive in walk():
        assert f"{directive.help}\n{directive.key}: " in plain, directive.path


def test_what_is_commented_out_is_the_default() -> None:
    """Take the // away from every directive, and nothing changes."""
    text = shipped()
    for active in ACTIVE.values():
        text = text.replace("\n".join(f"    {line}" for line in active.split("\n")) + "\n", "")
    # Blocks that are off altogether stand at the end of their directive's lines.
    text = re.sub(
        r"^ *// \w+: (\{|\[\{)\n(?: *// .*\n| *//\n)*? *// (\}|\}\]),\n", "", text, flags=re.MULTILINE
    )
    uncommented = re.sub(r"^( *)// (\w+: .*,)$", r"\1\2", text, flags=re.MULTILINE)
    written = scan(Source("shipped", uncommented)).root.plain()
    assert Config.read(written) == Config()
    for directive in members(Config).values():
        if directive.shape not in ("object", "objects") and directive.path not in ACTIVE:
            assert directive.key in written, directive.path
    assert set(written["limits"]) == set(show(Config().limits))


@pytest.mark.parametrize("name", ["tls", "metrics", "compress", "routes", "redirect"])
def test_blocks_that_are_commented_out_are_right_too(name: str) -> None:
    match = re.search(
        rf"^( *)// {name}: (\{{|\[\{{)\n(?: *// .*\n| *//\n)*? *// (\}}|\}}\]),\n", shipped(), re.MULTILINE
    )
    assert match
    block = re.sub(r"^ *// ?", "", match[0], flags=re.MULTILINE)
    plain = scan(Source("block", f"{{{block}}}")).root.plain()
    written = {"webSockets": plain} if name == "compress" else plain
    config = Config.read(written)
    inside = plain[name][0] if isinstance(plain[name], list) else plain[name]
    model = next(one.model for one in walk() if one.key == name and one.model)
    assert set(inside) == set(members(model))
    assert config


# Explain


def test_explain_a_directive() -> None:
    assert (
        explain("limits.maxFrame")
        == """\
limits.maxFrame
    Largest WebSocket frame. A longer message is sent as several frames;
    a longer frame received is answered with Close 1009.

    default  131072
    allowed  a number of bytes, a string with a unit such as '128K' or '1.5 MB', or 'unlimited'
    since    0.1.0
    changes  applied by reload"""
    )


def test_explain_an_object_lists_what_is_in_it() -> None:
    text = explain("tls.verify")
    assert "tls.verify.client                    Clients must show a certificate." in text
    assert explain("tls").count("\n    tls.") == 5


@pytest.mark.parametrize("name", ["LIMITS.maxframe", "web.limits.maxFrame"])
def test_explain_takes_a_name_in_any_case_and_form(name: str) -> None:
    assert explain(name) == explain("limits.maxFrame")


@pytest.mark.parametrize("name", ["routes.match", "routes[].match", "routes[3].match"])
def test_explain_a_directive_in_a_list(name: str) -> None:
    assert explain(name).startswith("routes[].match\n")


def test_explain_what_takes_a_restart_and_what_must_be_written() -> None:
    assert "changes  take a restart" in explain("workers")
    assert "default  none: it must be written\n    example  certificate: 'server.crt'" in explain(
        "tls.certificate"
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("limits.maxFrme", "did you mean limits.maxFrame?"),
        ("maxFrame", "did you mean limits.maxFrame?"),
        ("maxfram", "did you mean limits.maxFrame?"),
        ("timeouts.ping", "did you mean webSockets.ping?"),
        ("frobnicate", "`ioto-server explain` lists the directives"),
    ],
)
def test_explain_an_unknown_name(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        explain(name)
    assert caught.value.problems[0].hint == hint


def test_explain_alone_lists_every_directive() -> None:
    assert [line.split()[0] for line in explain().splitlines()] == [directive.path for directive in walk()]


def test_every_directive_can_be_explained() -> None:
    for directive in walk():
        assert explain(directive.path).startswith(f"{directive.path}\n    ")


def test_values_in_force_and_where_they_come_from(load: Load, tmp_path: Path) -> None:
    loaded = load(
        "{\n  limits: { body: '50K' },\n  routes: [\n    { match: '/ws/', handler: 'action' },\n    {} ] }",
        ("index", "home.html"),
        drop_ins={"a.json5": "{ limits: { header: 5 } }"},
        IOTO_SET_TIMEOUTS__PARSE="7 secs",
    )
    found = {row.path: (row.text, row.origin.removeprefix(f"{tmp_path}/")) for row in values(loaded)}
    assert found["limits.body"] == ("'50KB'", "web.json5:2")
    assert found["limits.header"] == ("5", "web.d/a.json5:1")
    assert found["limits.upload"] == ("'20MB'", "default")
    assert found["timeouts.parse"] == ("'7 secs'", "environment IOTO_SET_TIMEOUTS__PARSE")
    assert found["index"] == ("'home.html'", "--set index")
    assert found["routes[0]"] == ("{ match: '/ws/', handler: 'action' }", "web.json5:4")
    assert found["routes[1]"] == ("{}", "web.json5:5")
    text = explain_values(loaded)
    assert f"limits.body             '50KB'  ({tmp_path}/web.json5:2)" in text.splitlines()
    assert len(text.splitlines()) == len(found)


# The reference page


def test_the_reference_has_every_directive_with_its_help_default_and_anchor() -> None:
    page = reference()
    for directive in walk():
        assert f"`{directive.path}`" in page
        assert directive.help.replace("\n", " ") in page
    assert "- default: `131072`" in page
    assert page.count("- allowed: ") == len(list(walk()))
    anchors = re.findall(r'<a id="([^"]*)">', page)
    assert len(anchors) == len(set(anchors)) == len(list(walk()))
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= set(anchors)


# The schema


ENDPOINT = "^([Hh][Tt][Tt][Pp][Ss]?://|unix:.)"


def resolve(path: str) -> dict[str, Any]:
    found = schema()
    for key in path.split("."):
        inside = (
            found.get("properties")
            or next(part for part in found["anyOf"] if "properties" in part)["properties"]
        )
        found = inside[key]
    return found


def test_the_schema_has_every_directive_with_help_and_default() -> None:
    for directive in walk():
        if "[]" not in directive.path:
            assert resolve(directive.path)["description"] == directive.help.replace("\n", " ")
            if directive.shape == "value" and directive.default is not None:
                assert resolve(directive.path)["default"] == directive.default
    assert resolve("web.limits.maxFrame") == resolve("limits.maxFrame")
    assert "log" not in resolve("web")["properties"]


def test_the_schema_takes_one_value_for_a_list_and_blocks_that_are_off() -> None:
    assert resolve("listen")["anyOf"] == [
        {"type": "string", "pattern": ENDPOINT},
        {"type": "array", "items": {"type": "string", "pattern": ENDPOINT}, "minItems": 1},
    ]
    assert schema()["patternProperties"] == {"^_": True}
    assert schema()["additionalProperties"] is False
    assert {"enum": [True, False]} in resolve("webSockets.compress")["anyOf"]


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("limits.maxFrame", ["64K", "1.5 MB", "unlimited", "12 bytes"], ["12 bananas", "-5K", ""]),
        ("timeouts.parse", ["5 secs", "1min", "never"], ["-5 secs", "", "1h30m"]),
        ("limits.connections", ["100", "unlimited"], ["1.5", "10K"]),
        ("log.show", ["", "Hh"], ["headers"]),
        ("metrics.path", ["/", "/metrics"], ["metrics", "/a?b"]),
        ("metrics.listen", ["http://:1", "unix:x", "HTTP://x"], ["localhost:1", "/run/x", "ws://x", "unix:"]),
    ],
)
def test_the_patterns_of_the_schema(path: str, good: list[str], bad: list[str]) -> None:
    pattern = next(
        part["pattern"] for part in [*resolve(path).get("anyOf", ()), resolve(path)] if "pattern" in part
    )
    assert [text for text in good if not re.search(pattern, text)] == []
    assert [text for text in bad if re.search(pattern, text)] == []
