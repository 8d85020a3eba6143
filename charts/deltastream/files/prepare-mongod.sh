#!/bin/sh
# Runs before mongod starts. Copies the key file, and with TLS the certificate, to files that only mongod's user can
# read, and waits until DNS resolves the pod's name to the pod's address.
set -eu
umask 077
cat /run/secrets/deltastream/keyfile > /keyfile/keyfile
if [ -e /run/secrets/tls/tls.crt ]; then
    cat /run/secrets/tls/tls.crt /run/secrets/tls/tls.key > /keyfile/tls.pem
    cat /run/secrets/deltastream/mongodb-ca.crt > /keyfile/ca.crt
fi

name=$POD_NAME.$SUBDOMAIN
waited=0
# ahosts lists the addresses of both IP families; hosts would list only one family.
until getent ahosts "$name" | grep -q "^$POD_IP "; do
    waited=$((waited + 1))
    if [ "$waited" -gt 120 ]; then
        echo "$name does not resolve to $POD_IP after 60 seconds: check that the cluster's DNS is reachable" >&2
        exit 1
    fi
    sleep 0.5
done
