"""Tests of the signals against a real Redis (a package: see `local_run`)."""
