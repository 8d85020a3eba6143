"""Write to the API server: a feed's workloads, their replicas, Events and the patch of its status."""
