#!/bin/sh
# Readiness probe of Redis. The probe logs in as the operator's user, which has the fewest permissions: without a login
# Redis answers NOAUTH even while it loads its data. If the password has changed since Redis started (WRONGPASS), the
# probe cannot see whether Redis is loading. It then reports ready, because services that are logged in still use Redis.
REDISCLI_AUTH=$(cat /run/secrets/deltastream/operator-password)
export REDISCLI_AUTH
ca=/run/secrets/deltastream/redis-ca.crt
[ ! -e "$ca" ] || set -- --tls --cacert "$ca"
answer=$(timeout 3 redis-cli -h 127.0.0.1 "$@" --user operator ping 2>&1)
case $answer in
    PONG* | *WRONGPASS*) exit 0 ;;
esac
echo "redis is not ready: $answer"
exit 1
