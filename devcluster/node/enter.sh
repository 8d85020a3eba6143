#!/bin/sh
# The first process in the node's namespaces. It assembles the node's root file system and switches to it, as a
# container runtime does. Afterwards only the state folder of the host's files can be changed. It uses pivot_root
# instead of chroot because runc calls pivot_root again for every container.
set -eu
root=$1 state=$2 bin=$3 source=$4

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
for volatile in run tmp var/lib/cni var/log/pods var/log/containers; do
    mount -t tmpfs -o mode=755 tmpfs "$root/$volatile"
done
mkdir -p "$root/run/netns" "$root/run/lock"
mount --bind "$state" "$root/var/lib/node"
mount --bind "$state/kubelet" "$root/var/lib/kubelet"
mount --bind "$bin" "$root/opt/bin"
mount --bind "$source" "$root/opt/node"
mount -o remount,bind,ro "$root"
cd "$root"
pivot_root . old-root
umount -l /old-root
exec /usr/bin/python3 /opt/node/init.py
