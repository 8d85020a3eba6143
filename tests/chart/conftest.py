"""The fixture `release`: each values file of the chart's `ci` folder, rendered once for all tests."""

from __future__ import annotations

import pytest

from tests.chart.render import CI, Object, ci


@pytest.fixture(params=CI, ids=lambda path: path.stem)
def release(request: pytest.FixtureRequest) -> list[Object]:
    """The objects of one ci values file. A test that uses this fixture runs once for each file."""
    stem: str = request.param.stem
    return ci(stem)
