#!/bin/sh
# Like the official image's entry: options or a file alone mean redis-server, root becomes redis.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
# The official build has protected mode off unless the settings turn it on; Debian's has it on.
if [ "$1" = redis-server ] && ! { [ -f "$2" ] && grep -q '^[[:space:]]*protected-mode' "$2"; }; then
    case " $* " in
        *" --protected-mode "*) ;;
        *) set -- "$@" --protected-mode no ;;
    esac
fi
umask 0077
exec "$@"
