#!/bin/sh
# Works like the official image's entrypoint. Options or a file without a program start redis-server. Root
# becomes redis.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
# The official build turns protected mode off unless the settings turn it on. Debian's build turns it on.
if [ "$1" = redis-server ] && ! { [ -f "$2" ] && grep -q '^[[:space:]]*protected-mode' "$2"; }; then
    case " $* " in
        *" --protected-mode "*) ;;
        *) set -- "$@" --protected-mode no ;;
    esac
fi
umask 0077
exec "$@"
