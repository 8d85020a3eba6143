"""Tests of the local run.

This folder is a package, so pytest names its modules `local_run.*`. Otherwise pytest would name them
`operator.tests.*` by their path, and the package `operator` would hide the standard library's module.
"""
