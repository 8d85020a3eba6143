"""The REST gateway of DeltaStream."""

__version__ = "0.1.0"
