"""The local run: the whole system as processes on one machine."""
