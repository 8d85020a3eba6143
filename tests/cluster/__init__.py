"""Tests of the product on a real Kubernetes cluster that devcluster starts."""
