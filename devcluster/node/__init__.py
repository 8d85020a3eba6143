"""A node in a box: one-node Kubernetes in namespaces of its own, without a container engine.

`python -m devcluster.node {build,up,down,shell,load,status}`, see `machine.py`. The pieces:

- `binaries.py` builds Kubernetes' own programs from their Go modules, `rootfs.py` the node's Debian;
  both once, into the cache (`paths.py`).
- `pki.py` makes certificates and kubeconfigs, a new set at each start.
- `enter.sh` is the first process in the node's namespaces: it makes the node's Debian the only file system
  that can be seen. `init.py` is then the node's process 1 and starts every component.
- `relay.py` listens on the host's loopback and connects inside the node: the one way in.
- `etc/` and `manifests/` are the components' settings and what runs on the node from the start.
"""
