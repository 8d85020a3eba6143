"""Tests of the images that need no container engine. tests/cluster runs the images in a cluster."""
