"""Tests of the local planner.

NB: a package, so that pytest names its modules `local_planner.*`. By their path they would be
`operator.tests.*`, and pytest would put a package `operator` in the place of the standard library's.
"""
