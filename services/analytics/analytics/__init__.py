"""Ratios, max pain, build-up, volatility surface and bars, from cached and stored data."""

__version__ = "0.1.0"
