"""Conditions are asked of the same web server as everything else that goes out."""

from tests.outgoing.conftest import server as server
