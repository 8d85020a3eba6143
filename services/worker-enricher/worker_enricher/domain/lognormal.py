"""The normalised Black function of an out-of-the-money option, in log space.

With x = |ln(F/K)| and s = sigma sqrt(T) the undiscounted out-of-the-money price over sqrt(F K) is

    b(x, s) = exp(-x/2) N(-x/s + s/2) - exp(x/2) N(-x/s - s/2)
            = exp(-(h^2 + t^2)/2) [erfcx((h - t)/sqrt 2) - erfcx((h + t)/sqrt 2)] / 2,   h = x/s, t = s/2

(Jaeckel, "Let's Be Rational", 2015, section 2). In the wings, a difference of two N loses digits by
cancellation; the second form does not. Its logarithm does not underflow either. The bracket also gives the
slope: d ln b / ds = sqrt(2/pi) / bracket. So an iteration needs two erfcx and one log.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx

from worker_enricher.domain.arrays import Floats

SQRT_HALF = math.sqrt(0.5)
SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
LN_2 = math.log(2.0)

S_MAX = 60.0
"""Above this s, b equals its supremum exp(-x/2) to the last bit. From 75 on, erfcx overflows."""
H_MAX = 39.0
"""Above this h, b is below the smallest normal double."""


def log_price_and_slope(x: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Return (ln b, d ln b / ds) for x >= 0 and max(x / H_MAX, tiny) <= s <= S_MAX, elementwise."""
    h = x / s
    h *= SQRT_HALF
    t = s * (0.5 * SQRT_HALF)
    near = h - t
    far = h + t
    bracket = erfcx(near)
    bracket -= erfcx(far)
    near *= near
    far *= far
    near += far
    near *= 0.5
    log_price = np.log(bracket)
    log_price -= LN_2
    log_price -= near
    return log_price, SQRT_2_OVER_PI / bracket


def normalised_price(*, moneyness: Floats, total_vol: Floats) -> Floats:
    """Return b(|ln F/K|, sigma sqrt(T)), of shape broadcast(moneyness, total_vol).

    Limits: 0 at total_vol = 0, and the supremum exp(-x/2) as total_vol goes to infinity. The relative error
    is a few eps, down to the smallest normal double.
    """
    x = np.abs(moneyness)
    s = np.clip(total_vol, np.maximum(x / H_MAX, 1e-12), S_MAX)
    log_price, _ = log_price_and_slope(x, s)
    return np.where(total_vol * H_MAX <= x, 0.0, np.exp(np.minimum(log_price, -0.5 * x)))
