"""Questions over cached and stored chains: ratios, surface, max pain, build-up and bars."""

__version__ = "0.1.0"
