"""Tests of the resource and of the decisions made for it (a package: see `local_run`)."""
