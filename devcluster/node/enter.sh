#!/bin/sh
# The first process in the node's namespaces. It puts together the node's root file system and makes it the only
# one, as a container runtime does: from here on nothing of the host's files can be seen or changed, but for the
# state folder. pivot_root and not chroot, because runc pivots again for every container.
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
