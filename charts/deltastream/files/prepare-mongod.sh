#!/bin/sh
# Before mongod starts: the key, and with TLS its certificate, for its eyes alone, and its own name leading to this pod.
set -eu
umask 077
cat /run/secrets/deltastream/keyfile > /keyfile/keyfile
if [ -e /run/secrets/tls/tls.crt ]; then
    cat /run/secrets/tls/tls.crt /run/secrets/tls/tls.key > /keyfile/tls.pem
    cat /run/secrets/deltastream/mongodb-ca.crt > /keyfile/ca.crt
fi

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
