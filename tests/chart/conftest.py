"""The fixture `release`: each values file of the chart's `ci` folder, rendered once for all tests."""

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
    """The objects of one ci values file. A test that uses this fixture runs once for each file."""
    return _rendered(request.param)
