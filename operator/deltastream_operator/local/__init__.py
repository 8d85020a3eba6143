"""The whole system on one machine, its processes as workloads."""
