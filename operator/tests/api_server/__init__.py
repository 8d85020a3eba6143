"""Tests against a real API server (a package: see `local_run`)."""
