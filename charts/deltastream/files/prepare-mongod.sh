#!/bin/sh
# Before mongod starts: the key for its eyes alone, and its own name leading to this pod.
set -eu
umask 077
cat /run/secrets/deltastream/keyfile > /keyfile/keyfile

name=$POD_NAME.$SUBDOMAIN
waited=0
# ahosts and not hosts, which of two families would tell one.
until getent ahosts "$name" | grep -q "^$POD_IP "; do
    waited=$((waited + 1))
    if [ "$waited" -gt 120 ]; then
        echo "$name does not lead to $POD_IP: is the cluster's DNS reachable?" >&2
        exit 1
    fi
    sleep 0.5
done
