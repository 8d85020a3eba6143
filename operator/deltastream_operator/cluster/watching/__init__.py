"""What the API server tells: watch events, lists, and what they say of feeds, workloads and pods."""
