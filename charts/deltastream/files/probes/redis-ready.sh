#!/bin/sh
# Ready when it serves: without a password the answer of a Redis that serves is NOAUTH, not LOADING.
answer=$(timeout 3 redis-cli -h 127.0.0.1 ping 2>&1)
case $answer in
    PONG* | *NOAUTH*) exit 0 ;;
esac
echo "redis does not serve yet: $answer"
exit 1
