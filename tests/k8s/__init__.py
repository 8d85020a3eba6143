"""k8s/: what people without Helm apply."""
