"""Read the API server: watch events and lists, kept as a table of feeds, workloads and pods."""
