"""Configuration: values, one typed model, load, check, explain. Imports nothing of ours.

What a running server needs is imported here. What only commands print has modules of its own, so that the
daemon does not load them: `diff`, `check`, `explain`, `schema`, `reference`, `shipped`, `json5text`.
"""

from ioto_server.config.endpoint import Endpoint
from ioto_server.config.load import Loaded, find_config, load_config
from ioto_server.config.locations import Location, authority, is_scheme, location_of, named, port_of
from ioto_server.config.model import Config, Redirect, Route
from ioto_server.config.problems import ConfigError, Problem
from ioto_server.config.readers import is_site
from ioto_server.config.sections import (
    Compress,
    Limits,
    Log,
    Metrics,
    Timeouts,
    Tls,
    Topics,
    Upload,
    Verify,
    WebSockets,
)
from ioto_server.config.values import UNLIMITED

__all__ = [
    "UNLIMITED",
    "Compress",
    "Config",
    "ConfigError",
    "Endpoint",
    "Limits",
    "Loaded",
    "Location",
    "Log",
    "Metrics",
    "Problem",
    "Redirect",
    "Route",
    "Timeouts",
    "Tls",
    "Topics",
    "Upload",
    "Verify",
    "WebSockets",
    "authority",
    "find_config",
    "is_scheme",
    "is_site",
    "load_config",
    "location_of",
    "named",
    "port_of",
]
