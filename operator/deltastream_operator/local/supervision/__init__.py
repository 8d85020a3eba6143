"""Supervise processes: start, probe, restart and stop them."""
