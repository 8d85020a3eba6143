"""Pytest plugin (see `addopts`) that sets the project's Hypothesis profile."""

from __future__ import annotations

from hypothesis import settings

# No deadline: an example may be slow only because the machine is busy. pytest's timeout ends hanging tests.
settings.register_profile("deltastream", parent=settings.default, deadline=None)
settings.load_profile("deltastream")
