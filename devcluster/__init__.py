"""Tools for development: a Kubernetes cluster with the product, and processes for benchmarks and tests."""
