"""A one-node Kubernetes cluster in Linux namespaces, without a container engine.

Commands: `python -m devcluster.node {build,up,down,shell,load,status}`, see `machine.py`. The parts:

- `binaries.py` builds the Kubernetes programs from their Go modules. `rootfs.py` builds the node's Debian.
  Both build once, into the cache (`paths.py`).
- `pki.py` creates certificates and kubeconfigs, a new set at each start.
- `enter.sh` is the first process in the node's namespaces. It makes the node's Debian the root file system.
  It then becomes `init.py`, the node's process 1, which starts every component.
- `relay.py` forwards connections from the host's loopback to the node's API server.
- `etc/` has the components' settings. `manifests/` has the objects that every node starts with.
"""
