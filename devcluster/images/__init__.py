"""The images of the product and, where there is no container engine, of what it runs on.

With docker or podman: their build of the nine folders. Without: buildah, a Debian in place of the official
Python, Redis and MongoDB images (no registry is asked), and one OCI archive for `ctr images import`.
"""
