"""The picture of the results that the README shows: SVG, for light and for dark pages."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from statistics import median

from tests.bench.ws.report import Results, cost
from tests.bench.ws.scenarios import SCENARIOS

PANELS = {
    "echo-64": "64 B, one message in flight",
    "echo-64-16": "64 B, sixteen in flight",
    "echo-64k": "64 KiB binary",
    "broadcast-4": "One delivery of a broadcast to 1,000",
    "handshakes": "One handshake, from connect to close",
    "idle": "Memory of an idle connection",
}
"""What is shown, in this order, and its title."""

NAMES = {
    "ioto": "ioto-server, callback",
    "ioto-async": "ioto-server, async for",
    "ioto-pure": "ioto-server, pure Python",
    "uvloop": "uvloop, TCP alone",
    "socketify": "socketify (uWebSockets)",
    "picows": "picows",
    "picows-websockets": "picows.websockets",
    "aiohttp": "aiohttp",
    "websockets": "websockets",
    "uvicorn": "uvicorn",
    "granian": "granian",
    "ws": "ws (Node.js)",
}

STYLE = """\
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 13px } .quiet { fill: #59636e }
.bar { fill: #9aa4af } .ours { fill: #0a7d5a } .floor { fill: #c9d1d9 } .span { stroke: #1f2328 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 }
.bar { fill: #6e7681 } .ours { fill: #2bbd8b } .floor { fill: #3d444d } .span { stroke: #e6edf3 }
}"""

# In pixels. A panel: its title, a line for each server.
_WIDTH, _LABELS, _BARS, _LINE, _HEAD, _GAP = 900, 160, 200, 19, 44, 26
# A bar is cut where it is longer than so many times ours.
_LONGEST = 6.0


def plot(results: Results) -> str:
    """Draw what was measured: a panel for each of PANELS, two beside each other."""
    shown = [name for name in PANELS if results.get(name, {}).get("samples")]
    body: list[str] = []
    top = 8
    for left, right in zip(shown[::2], [*shown[1::2], None], strict=False):
        pair = [name for name in (left, right) if name is not None]
        for column, name in enumerate(pair):
            body += _panel(name, results, column * _WIDTH // 2 + 8, top)
        top += _HEAD + _GAP + _LINE * max(len(_rows(name, results)) for name in pair)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" '
        f'aria-label="What one message, handshake or idle connection costs each server">\n'
        f"<style>\n{STYLE}\n</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _rows(name: str, results: Results) -> list[tuple[str, list[float]]]:
    samples = results[name]["samples"]
    return [
        (server, [cost(name, sample) for sample in samples[server]])
        for server in NAMES
        if samples.get(server)
    ]


def _panel(name: str, results: Results, left: int, top: int) -> Iterator[str]:
    rows = _rows(name, results)
    memory = SCENARIOS[name].mode == "idle"
    unit = "bytes, resident" if memory else f"µs of the server's processor for one {SCENARIOS[name].counted}"
    yield f'<text class="title" x="{left}" y="{top + 14}">{escape(PANELS[name])}</text>'
    yield f'<text class="quiet" x="{left}" y="{top + 31}">{escape(unit)}</text>'
    medians = {server: median(values) for server, values in rows}
    longest = min(max(medians.values()), _LONGEST * medians.get("ioto", max(medians.values())))
    for number, (server, values) in enumerate(rows):
        yield from _row(server, values, longest, memory, left, top + _HEAD + number * _LINE)


def _row(
    server: str, values: list[float], longest: float, memory: bool, left: int, top: int
) -> Iterator[str]:
    kind = "ours" if server.startswith("ioto") else "floor" if server == "uvloop" else "bar"
    start, middle = left + _LABELS, median(values)
    scale = _BARS / longest
    cut = middle > longest
    length = _BARS if cut else middle * scale
    text = f"{middle:,.0f}" if memory or middle >= 100 else f"{middle:.3g}"
    yield f'<text x="{start - 8}" y="{top + 12}" text-anchor="end">{escape(NAMES[server])}</text>'
    yield f'<rect class="{kind}" x="{start}" y="{top + 2}" width="{length:.1f}" height="13" rx="2"/>'
    if not cut:
        # From the least of the rounds to the greatest.
        low, high = (min(value * scale, _BARS) for value in (min(values), max(values)))
        yield f'<path class="span" d="M{start + low:.1f} {top + 8.5}H{start + high:.1f}"/>'
        length = max(length, high)
    yield f'<text x="{start + length + 6:.1f}" y="{top + 12}">{text}{" →" if cut else ""}</text>'
