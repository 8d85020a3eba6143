"""A real Kubernetes that the tests stand up themselves, and the product on it."""
