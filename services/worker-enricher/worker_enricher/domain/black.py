"""Prices and Greeks of European options: the generalised Black-Scholes formula in terms of the forward.

Parameters, all keyword-only arrays that broadcast together: `is_call` bool; `spot` S, `forward` F and
`strike` K per share, positive; `discount` D > 0; `sigma` annualised; `t` years. The rate and the yield are
implied: r = -ln(D)/T and q = r - ln(F/S)/T. So the parity forward of a chain prices its options, and the
Greeks are still derivatives with respect to the spot. Most formulas need neither r nor q, because
F D / S = exp(-qT).

    price = phi D [F N(phi d1) - K N(phi d2)],  d1 = ln(F/K)/(sigma sqrt T) + sigma sqrt(T)/2,  phi = +-1

Limits: where sigma sqrt(T) is 0 the price is intrinsic, delta is 0, 1/2 or 1 times exp(-qT), gamma is 0, and
at T = 0 vega, theta and rho are 0 too. NaN inputs give NaN. No input causes a division by zero or a warning.

Sources: Hull, "Options, Futures and Other Derivatives", ch. 15, 17-19; Haug, "The Complete Guide to Option
Pricing Formulas", ch. 1-2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from worker_enricher.domain.arrays import Bools, Floats
from worker_enricher.domain.lognormal import normalised_price

ZERO_VOL = 1e-100
"""sigma sqrt(T) at or below this value counts as 0. Above it, d1 squared cannot overflow."""
INV_SQRT_2PI = 0.3989422804014327


class Greeks(NamedTuple):
    """delta dV/dS, gamma d2V/dS2, vega dV/dsigma per 1.00, theta dV/dt per year, rho dV/dr per 1.00."""

    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats


class _Terms(NamedTuple):
    phi: Floats
    has_vol: Bools  # sigma sqrt(T) > 0, or NaN, which stays NaN
    total_vol: Floats  # sigma sqrt(T), 1 where it is 0
    root_t: Floats
    years: Floats  # T, 1 where 0
    d1: Floats
    d2: Floats
    pdf: Floats  # n(d1)
    carried: Floats  # F D = S exp(-qT)
    rate: Floats
    carry: Floats  # q


def _terms(
    is_call: Bools, spot: Floats, forward: Floats, strike: Floats, discount: Floats, sigma: Floats, t: Floats
) -> _Terms:
    phi = np.where(is_call, 1.0, -1.0)
    has_time = t > 0.0
    years = np.where(has_time, t, 1.0)
    root_t = np.sqrt(np.where(has_time, t, 0.0))
    rate = -np.log(discount) / years
    carry = rate - np.log(forward / spot) / years
    x = np.log(forward / strike)
    total_vol = sigma * root_t
    zero_vol = total_vol <= ZERO_VOL
    if zero_vol.any():
        total_vol = np.where(zero_vol, 1.0, total_vol)
        edge = np.where(x > 0.0, np.inf, np.where(x < 0.0, -np.inf, 0.0))
        middle = np.where(zero_vol, edge, x / total_vol)
        half = np.where(zero_vol, 0.0, 0.5 * total_vol)
    else:
        middle = x / total_vol
        half = 0.5 * total_vol
    d1 = middle + half
    pdf = INV_SQRT_2PI * np.exp(-0.5 * d1 * d1)
    return _Terms(
        phi, ~zero_vol, total_vol, root_t, years, d1, middle - half, pdf, forward * discount, rate, carry
    )


def price(
    *, is_call: Bools, forward: Floats, strike: Floats, discount: Floats, sigma: Floats, t: Floats
) -> Floats:
    """Return the present value per share. Intrinsic and time value are summed, to be precise in the wings."""
    intrinsic = forward - strike
    intrinsic = np.maximum(np.where(is_call, intrinsic, -intrinsic), 0.0)
    total_vol = sigma * np.sqrt(np.maximum(t, 0.0))
    time_value = normalised_price(moneyness=np.log(forward / strike), total_vol=total_vol)
    return np.asarray(discount * (intrinsic + np.sqrt(forward * strike) * time_value))


def greeks(
    *,
    is_call: Bools,
    spot: Floats,
    forward: Floats,
    strike: Floats,
    discount: Floats,
    sigma: Floats,
    t: Floats,
) -> Greeks:
    """Return delta, gamma, vega, theta and rho, computed in one pass over shared terms."""
    u = _terms(is_call, spot, forward, strike, discount, sigma, t)
    n1 = ndtr(u.phi * u.d1)
    n1 *= u.phi * u.carried  # phi F D N(phi d1)
    n2 = ndtr(u.phi * u.d2)
    n2 *= u.phi * (strike * discount)  # phi K D N(phi d2)
    vega = u.pdf * (u.carried * u.root_t)
    # At T = 0, root_t is 0 and years is 1. So vega and the first term of theta are 0, but the two carry terms
    # of theta must be masked.
    theta = vega * sigma
    theta *= -0.5 / u.years
    running = u.root_t > 0.0
    n1_carry = n1 * np.where(running, u.carry, 0.0)
    theta += n1_carry
    theta -= n2 * np.where(running, u.rate, 0.0)
    gamma = u.pdf * (u.carried / (spot * spot))
    gamma /= u.total_vol
    gamma *= u.has_vol
    rho = n2
    rho *= np.where(running, u.years, 0.0)
    return Greeks(n1 / spot, gamma, vega, theta, rho)


class HigherGreeks(NamedTuple):
    """vanna d delta/d sigma, volga d vega/d sigma, charm -d delta/dT, dividend_rho dV/dq per 1.00.

    charm is per year.
    """

    vanna: Floats
    volga: Floats
    charm: Floats
    dividend_rho: Floats


def higher_greeks(
    *,
    is_call: Bools,
    spot: Floats,
    forward: Floats,
    strike: Floats,
    discount: Floats,
    sigma: Floats,
    t: Floats,
) -> HigherGreeks:
    """Return the higher Greeks at constant r and q. All are 0 where sigma sqrt(T) is 0."""
    u = _terms(is_call, spot, forward, strike, discount, sigma, t)
    # Where sigma sqrt(T) is 0, d1 and d2 may be infinite, and inf * 0 would give NaN.
    d1 = np.where(u.has_vol, u.d1, 0.0)
    d2 = np.where(u.has_vol, u.d2, 0.0)
    vol = np.where(u.has_vol, sigma, 1.0)
    years = u.years
    fade = u.carried / spot
    density = np.where(u.has_vol, u.pdf, 0.0) * fade
    vanna = -density * d2 / vol
    volga = density * spot * u.root_t * d1 * d2 / vol
    exposure = np.where(u.has_vol, u.phi * fade * ndtr(u.phi * d1), 0.0)
    drift = 2.0 * (u.rate - u.carry) * years
    charm = u.carry * exposure - density * (drift - d2 * u.total_vol) / (2.0 * years * u.total_vol)
    return HigherGreeks(vanna, volga, charm, -years * spot * exposure)
