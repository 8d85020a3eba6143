"""A Kubernetes on this machine with the product on it, and the processes that benchmarks and tests start."""
