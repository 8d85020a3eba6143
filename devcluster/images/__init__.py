"""Build the product's images, and without a container engine also the images that it depends on.

With docker or podman, the engine builds the nine folders. Without an engine, buildah builds them. Images made
from Debian then replace the official Python, Redis and MongoDB images, so no registry is contacted. The
result is one OCI archive for `ctr images import`.
"""
