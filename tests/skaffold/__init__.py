"""Tests of skaffold.yaml that need no skaffold program."""
