"""Black-76 implied volatility, with a reason for each price that has no volatility.

Method: convert each price to the out-of-the-money side by parity (an in-the-money price has no additional
information). Start from the inverse of the Bachelier formula. Then apply Householder steps of fourth order to
ln b (module lognormal). The start has an error of about 1e-4 for s <= 0.6, so one step reaches an error of
order 1e-16, and most lanes need only two erfcx. The remaining lanes are compressed and iterated; bisection is
the last resort. A lane is accepted only if its last step was so small that another step would not change it.

Sources: Jaeckel, "Let's Be Rational" (2015), for the log objective and the derivatives; Choi, Kim, Kwak,
"Numerical approximation of the implied volatility under arithmetic Brownian motion" (2009), for the idea of
a rational Bachelier inverse. The coefficients here are our own fits.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from worker_enricher.domain.arrays import Bools, Codes, Floats, Ints, Objects
from worker_enricher.domain.lognormal import H_MAX, S_MAX, log_price_and_slope


class IvReason(IntEnum):
    """Why there is no implied volatility; NONE (0) means that there is one. The contract uses lower case."""

    NONE = 0
    NO_QUOTE = 1
    ZERO_PRICE = 2
    BELOW_INTRINSIC = 3
    ABOVE_MAX = 4
    EXPIRED = 5
    CROSSED = 6
    WIDE_SPREAD = 7
    INFO_LOST = 8
    NO_FORWARD = 9
    AMERICAN_EXERCISE = 10
    NO_CONVERGENCE = 11
    BOUNDS_UNKNOWN = 12
    STALE = 13


REASON_NAMES: Objects = np.array(
    [None, *(reason.name.lower() for reason in IvReason if reason)], dtype=object
)
"""Contract name of each code: `REASON_NAMES[codes].tolist()`."""

EPS = float(np.finfo(np.float64).eps)
INFO_LOST = 1e-2
"""Largest error of s, absolute and relative, that the rounding of the price alone may cause."""
ACCEPT = 3e-4
"""Largest relative size of the last step. The error is about its fourth power, so below 1e-13."""
TINY_X = 1e-60
TINY_C = 1e-300
MAX_STEPS = 12
BISECTIONS = 70

# With p = x/c, w = ln(1 + p), u = sqrt(w): the Bachelier moneyness z = x/s solves p(z) = p, and
# z/w = P(u)/Q(u) to 2e-5 for z <= 10 (4e-4 for z <= 38). The fit has both limits: z -> w/sqrt(2 pi) at the
# money, z -> sqrt(2 w) in the wings.
_P = (
    0.39895207271558336,
    -0.04400247009677643,
    0.041627141453577106,
    0.0069787799184163925,
    0.004287193312215938,
)
_Q = (
    1.0,
    -0.1095351101052945,
    0.10010700929086298,
    0.026246176703704143,
    0.00631472065620013,
    0.003002930755158939,
)
# s = s_bachelier (1 + kappa s_bachelier^2 + ...), kappa = (1/8 - M'''/(24 M')) (1 - z M) with M Mills' ratio
# at z; 1/24 at the money.
_KP = (0.04189623475090632, 0.011316972612814774, 0.0005917541746480597)
_KQ = (1.0, 0.3709083705113137, -0.282972496354667, 0.3383417757603013)


class ImpliedVols(NamedTuple):
    """sigma: annualised volatility, NaN without a solution; reason: IvReason codes, 0 where sigma exists."""

    sigma: Floats
    reason: Codes


def _horner(coefficients: tuple[float, ...], u: Floats) -> Floats:
    value = u * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= u
    value += coefficients[0]
    return value


def _seed(c: Floats, x: Floats) -> Floats:
    w = np.log1p(x / c)
    u = np.sqrt(w)
    s = _horner(_Q, u)
    s *= x
    s /= _horner(_P, u)
    s /= w
    correction = _horner(_KP, u)
    correction /= _horner(_KQ, u)
    correction *= s
    correction *= s
    np.minimum(correction, 0.5, out=correction)
    correction *= 1.0 + 2.0 * correction
    correction += 1.0
    s *= correction
    return s


def _step(s: Floats, x: Floats, log_c: Floats) -> tuple[Floats, Floats]:
    """Make one Householder step of fourth order on ln b(x, s) = log_c. Returns (change of s, d ln b / ds)."""
    newton, slope = log_price_and_slope(x, s)
    newton -= log_c
    newton /= slope
    h2 = x / s
    h2 *= h2
    h2 /= s  # h^2 / s
    quarter = 0.25 * s
    ratio2 = h2 - quarter  # b'' / b'
    curvature = ratio2 - slope  # (ln b)'' / (ln b)'
    h2 /= s
    h2 *= 3.0
    third = ratio2 * (ratio2 - 3.0 * slope)
    third -= h2
    third -= 0.25
    third += 2.0 * slope * slope  # (ln b)''' / (ln b)'
    curvature *= newton
    third *= newton
    third *= newton
    third *= 1.0 / 6.0
    third += 1.0
    third -= curvature
    curvature *= -0.5
    curvature += 1.0
    newton *= curvature
    newton /= third
    np.negative(newton, out=newton)
    return newton, slope


def solve_total_vol(*, c: Floats, x: Floats) -> tuple[Floats, Floats, Bools]:
    """Solve b(x, s) = c for s = sigma sqrt(T).

    c: undiscounted out-of-the-money price over sqrt(F K), TINY_C < c < exp(-x/2); x = |ln F/K| >= 0; both of
    shape (n,). Returns (s, d ln b / ds near s, converged), each of shape (n,).
    """
    x = np.maximum(x, TINY_X)  # avoids 0/0 in the seed at the money; b does not change
    log_c = np.log(c)
    s = _seed(c, x)
    change, slope = _step(s, x, log_c)
    moved = s + change
    np.abs(change, out=change)
    open_lanes: Ints = np.flatnonzero(~(change <= ACCEPT * s))
    converged = np.ones(s.shape, dtype=np.bool_)
    if open_lanes.size:
        previous = s[open_lanes]
        trial = moved[open_lanes]
        for _ in range(MAX_STEPS):
            lane_x = x[open_lanes]
            floor = np.maximum(0.5 * previous, lane_x / H_MAX)
            # A step with denominator 0 gives NaN; fmax then uses the floor.
            previous = np.minimum(np.fmax(trial, floor), np.minimum(2.0 * previous, S_MAX))
            step, lane_slope = _step(previous, lane_x, log_c[open_lanes])
            trial = previous + step
            moved[open_lanes] = trial
            slope[open_lanes] = lane_slope
            unsettled = ~(np.abs(step) <= ACCEPT * previous)
            if not unsettled.any():
                return moved, slope, converged
            open_lanes, previous, trial = open_lanes[unsettled], previous[unsettled], trial[unsettled]
        _bisect(open_lanes, moved, slope, converged, x, log_c)
    return moved, slope, converged


def _bisect(lanes: Ints, s: Floats, slope: Floats, converged: Bools, x: Floats, log_c: Floats) -> None:
    """Solve the given lanes by bisection, in place. It works because ln b increases with s."""
    lane_x, target = x[lanes], log_c[lanes]
    low = np.maximum(lane_x / H_MAX, 1e-12)
    high = np.full_like(low, S_MAX)
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        value, _slope = log_price_and_slope(lane_x, middle)
        below = value < target
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)
    middle = 0.5 * (low + high)
    s[lanes] = middle
    value, slope[lanes] = log_price_and_slope(lane_x, middle)
    converged[lanes] = np.abs(value - target) <= 8.0 * EPS * (1.0 + np.abs(target))


def implied_volatility(
    *, price: Floats, is_call: Bools, forward: Floats, strike: Floats, discount: Floats, t: Floats
) -> ImpliedVols:
    """Return the Black-76 implied volatility of European options.

    `price` is the discounted price per share, and the result has its shape. The other arrays broadcast
    against it; `t` is in years. Bid, mid and ask can be stacked as (3, n) over contract terms of shape (n,):
    one call then solves all three. A price has no volatility, and a reason, in these cases:

    - no_quote: it is NaN; zero_price: it is not positive.
    - below_intrinsic: it is at or below its intrinsic value.
    - above_max: it is at or above the discounted forward (call) or the discounted strike (put).
    - expired: t <= 0.
    - no_forward: forward, strike or discount is NaN or not positive, or forward or strike is infinite.
    - info_lost: the rounding of the price alone, eps * price, changes s = sigma sqrt(T) by 1e-2 (absolute or
      relative), or an in-the-money price equals its intrinsic value within 4 eps.
    """
    terms = (forward > 0.0) & (forward < np.inf) & (strike > 0.0) & (strike < np.inf) & (discount > 0.0)
    usable = terms & (t > 0.0)
    f = np.where(usable, forward, 1.0)
    k = np.where(usable, strike, 1.0)
    undiscounted = price / np.where(usable, discount, 1.0)
    intrinsic = f - k
    intrinsic = np.maximum(np.where(is_call, intrinsic, -intrinsic), 0.0)
    time_value = undiscounted - intrinsic
    scale = np.sqrt(f * k)
    c = time_value / scale
    solvable = (c > TINY_C) & (time_value < np.minimum(f, k)) & usable
    sigma: Floats = np.full(c.shape, np.nan)
    reason: Codes = np.zeros(c.shape, dtype=np.int8)
    flat_reason = reason.reshape(-1)
    lanes: Ints = np.flatnonzero(solvable)
    if lanes.size:
        width = c.shape[-1] if c.ndim else 1
        term = lanes % width if np.ndim(f) == 1 and c.ndim > 1 else lanes
        x = np.abs(np.log(f / k))
        if x.shape not in (c.shape, (width,)):
            x, term = np.broadcast_to(x, c.shape).reshape(-1), lanes
        lane_c = c.reshape(-1)[lanes]
        s, slope, converged = solve_total_vol(c=lane_c, x=x.reshape(-1)[term])
        # Compare eps * price with the change of the price that the tolerated error of s causes.
        # The tolerated error is INFO_LOST * min(s, 1).
        slope *= lane_c
        slope *= np.minimum(s, 1.0)
        lost = EPS / INFO_LOST * (undiscounted / scale).reshape(-1)[lanes] >= slope
        root_t = np.broadcast_to(np.sqrt(np.maximum(t, 0.0)), c.shape).reshape(-1)[lanes]
        s /= root_t
        refused = lost | ~converged
        if refused.any():
            s[refused] = np.nan
            flat_reason[lanes[refused]] = np.where(
                lost[refused], IvReason.INFO_LOST, IvReason.NO_CONVERGENCE
            ).astype(np.int8)
        sigma.reshape(-1)[lanes] = s
    if lanes.size < c.size:
        _explain(reason, solvable, price, undiscounted, time_value, np.minimum(f, k), terms, t)
    return ImpliedVols(sigma, reason)


def _explain(
    reason: Codes,
    solvable: Bools,
    price: Floats,
    undiscounted: Floats,
    time_value: Floats,
    cap: Floats,
    terms: Bools,
    t: Floats,
) -> None:
    """Set the reason of each lane that was not solvable, in place. The first matching condition wins."""
    conditions = [
        ~(t > 0.0),
        ~terms,
        np.isnan(price),
        price <= 0.0,
        time_value >= cap,
        np.abs(time_value) <= np.maximum(4.0 * EPS * undiscounted, 1e-290),
    ]
    codes = [
        IvReason.EXPIRED,
        IvReason.NO_FORWARD,
        IvReason.NO_QUOTE,
        IvReason.ZERO_PRICE,
        IvReason.ABOVE_MAX,
        IvReason.INFO_LOST,
    ]
    filled = np.select(
        [np.broadcast_to(condition, reason.shape) for condition in conditions],
        [np.int8(code) for code in codes],
        np.int8(IvReason.BELOW_INTRINSIC),
    )
    np.copyto(reason, filled, where=~solvable)
