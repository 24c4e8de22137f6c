"""Tests of `ioto_server.config`."""
