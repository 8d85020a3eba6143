#!/bin/sh
# Liveness probe of Redis. Any answer counts as alive. LOADING, NOAUTH and BUSY count too, because a restart would not help.
ca=/run/secrets/deltastream/redis-ca.crt
[ ! -e "$ca" ] || set -- --tls --cacert "$ca"
answer=$(timeout 3 redis-cli -h 127.0.0.1 "$@" ping 2>&1)
case $answer in
    PONG* | *NOAUTH* | *LOADING* | *BUSY* | *MASTERDOWN*) exit 0 ;;
esac
echo "redis does not answer: $answer"
exit 1
