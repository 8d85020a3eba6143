"""Tests of `RedisSignals` on a real Redis. `local_run/__init__.py` says why this folder is a package."""
