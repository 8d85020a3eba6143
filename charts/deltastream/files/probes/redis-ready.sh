#!/bin/sh
# Ready when it serves. It asks as the operator's user, who may do least: to whom it does not know a Redis says
# NOAUTH even while LOADING. A password that has changed since Redis started (WRONGPASS) cannot tell the two apart,
# and is no reason to take a Redis away from the services that are logged in.
REDISCLI_AUTH=$(cat /run/secrets/deltastream/operator-password)
export REDISCLI_AUTH
ca=/run/secrets/deltastream/redis-ca.crt
[ ! -e "$ca" ] || set -- --tls --cacert "$ca"
answer=$(timeout 3 redis-cli -h 127.0.0.1 "$@" --user operator ping 2>&1)
case $answer in
    PONG* | *WRONGPASS*) exit 0 ;;
esac
echo "redis does not serve yet: $answer"
exit 1
