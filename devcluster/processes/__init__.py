"""Start real processes on loopback for benchmarks and tests: stores, services, API server, operator."""
