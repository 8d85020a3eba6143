"""Tests of k8s/, the manifests for users without Helm."""
