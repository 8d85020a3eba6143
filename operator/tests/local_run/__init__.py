"""Tests of the local run.

NB: a package, so that pytest names its modules `local_run.*`. By their path they would be
`operator.tests.*`, and pytest would put a package `operator` in the place of the standard library's.
"""
