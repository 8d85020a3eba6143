"""Tests of the operator's domain. `local_run/__init__.py` says why this folder is a package."""
