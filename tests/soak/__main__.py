"""`python -m tests.soak --for 10m --clients 10000`: the long form, for `make soak`."""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import uvloop

from tests.support.priority import MAY_PREFER

from .run import Plan, soak
from .server import Server

_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """`90`, `90s`, `10m` or `1h`."""
    unit = _UNITS.get(text[-1:])
    return float(text[:-1]) * unit if unit else float(text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--for", dest="seconds", type=seconds, default=600.0, help="how long it blows (10m)")
    parser.add_argument("--clients", type=int, default=10_000, help="how many are connected (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of chance (another each day of the year)")
    parser.add_argument(
        "--realtime",
        action=argparse.BooleanOptionalAction,
        default=MAY_PREFER,
        help="server and healthy clients go before the storm's own process (as root they do)",
    )
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder, "server"))
        try:
            plan = Plan(
                seconds=options.seconds,
                clients=options.clients,
                rate=max(20.0, options.clients / 45),
                stay=min(120.0, options.seconds / 5),
                seed=options.seed or time.localtime().tm_yday,
                measure_latency=True,
                realtime=options.realtime,
            )
            say(f"server and healthy clients {'go' if options.realtime else 'do not go'} before the storm")
            found = uvloop.run(soak(server, plan, say))
            code = server.stop()
        finally:
            server.kill()
    if code != 0:
        found["wrong"].append(f"exit code {code} on SIGTERM")
    if "p99 storm" not in found:
        found["wrong"].append("the latency of healthy clients was not measured in the storm")
    elif found["p99 storm"] > 2 * found["p99 calm"]:
        found["wrong"].append(
            f"p99 of healthy clients: {found['p99 calm']} ms in calm, {found['p99 storm']} ms"
        )
    print(json.dumps(found, indent=2))
    raise SystemExit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
