"""The bad-weather run: misbehaving clients by the thousand, and what must hold all the same.

`make soak` runs it for ten minutes with 10,000 connections; a short form is part of the tests.
"""
