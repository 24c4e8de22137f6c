"""The reference page of the configuration, in Markdown, made from the model."""

from __future__ import annotations

from ioto_server.config.directives import Directive, members, walk
from ioto_server.config.explain import facts
from ioto_server.config.legacy import INSTEAD
from ioto_server.config.model import Config

_HEAD = """\
# web.json5

The server reads one JSON5 file: the one named with `--config`, or `./web.json5`, `./etc/web.json5`,
`/etc/ioto-server/web.json5`, whichever comes first. Everything has a default: `{}` is a whole configuration.

The directives stand at the root of the file, or under `web:` with `log` and `tls` beside it. Relative paths
start at the folder of the file. Keys that begin with `_` are skipped: put one in front of a block to switch
it off.

Laid over the file, in this order: the drop-ins `web.d/*.json5` beside it, by name (paths in them are relative
to the file they are laid over); variables `IOTO_SET_<PATH>` of the environment, with `__` for each dot, as in
`IOTO_SET_LIMITS__MAXFRAME=64K`; and `--set limits.maxFrame=64K` on the command line. Objects are merged,
lists and values are replaced. `ioto-server explain --values` shows what is in force and where it comes from.

| kind | written as |
|---|---|
| size | bytes, or a string with `b`, `k`, `kb`, `m`, `mb`, `g`, `gb` (1 KB = 1024 bytes); `'unlimited'` |
| duration | seconds, or a string with `ms`, `secs`, `mins`, `hours`, `days`, `weeks`…; `'never'` |
| count | a whole number, as a string too; `'unlimited'` |
| switch | `true` or `false` |

There are `months` (30 days) and `years` (365) too; units may be singular and in any case. `MAXINT`
is 2147483647, and numbers may have fractions: `'1.5 MB'`.
"""
_LEGACY = """\
## Directives of the original

These are read without effect, and named in a warning. `auth`, and any `role` but `'public'`, are errors:
nothing is served less protected than the file says.

| directive | instead |
|---|---|
"""


def reference() -> str:
    """Return the page."""
    index = "".join(
        f"- [`{directive.path}`](#{_anchor(directive)})\n" for directive in members(Config).values()
    )
    entries = "".join(_entry(directive) for directive in walk())
    legacy = _LEGACY + "".join(f"| `{path}` | {text} |\n" for path, text in INSTEAD.items())
    return f"{_HEAD}\n{index}\n{entries}{legacy}"


def _entry(directive: Directive) -> str:
    level = "##" if "." not in directive.path else "###"
    heading = f'{level} <a id="{_anchor(directive)}"></a>`{directive.path}`'
    lines = [f"- {name}: {text}" for name, text in facts(directive, code="`")]
    return "\n".join([heading, "", directive.help.replace("\n", " "), "", *lines]) + "\n\n"


def _anchor(directive: Directive) -> str:
    return directive.path.replace("[]", "").replace(".", "-").lower()
