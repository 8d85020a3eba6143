"""The product on a real Kubernetes that devcluster stands up."""
