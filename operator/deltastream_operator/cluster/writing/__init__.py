"""What the API server is told: a feed's workloads, their replicas, Events and the status' patch."""
