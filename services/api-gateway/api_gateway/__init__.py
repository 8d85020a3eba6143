"""The one REST door of DeltaStream."""

__version__ = "0.1.0"
