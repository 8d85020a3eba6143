"""Array types of the arguments and results of the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Codes = NDArray[np.int8]
Objects = NDArray[np.object_]
Numbers = NDArray[np.float64] | NDArray[np.int64]
Column = list[Any]
