"""How Hypothesis runs here. A pytest plugin (see `addopts`)."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no fault of the example that it slows down; pytest's own timeout ends what hangs.
settings.register_profile("deltastream", parent=settings.default, deadline=None)
settings.load_profile("deltastream")
