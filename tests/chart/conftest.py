"""Each ci values file is rendered once for all rules."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.chart.render import CI, Object, objects, template


@cache
def _rendered(values: Path) -> list[Object]:
    return objects(template(f"--values={values}"))


@pytest.fixture(params=CI, ids=lambda path: path.stem)
def release(request: pytest.FixtureRequest) -> list[Object]:
    """The objects of one ci values file; every test that takes it runs for all of them."""
    return _rendered(request.param)
