"""Kubernetes as the operator sees it: a small API client, the objects it writes, the objects it reads."""
