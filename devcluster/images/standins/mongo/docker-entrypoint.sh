#!/bin/sh
# Like the official image's entry without MONGO_INITDB_*: options alone mean mongod, root becomes mongodb, and
# mongod listens on every address unless told otherwise (a file may tell it).
set -e
if [ "${1#-}" != "$1" ]; then
    set -- mongod "$@"
fi
if [ "$1" = mongod ]; then
    if [ "$(id -u)" = 0 ]; then
        find /data/configdb /data/db \! -user mongodb -exec chown mongodb '{}' +
        exec setpriv --reuid=mongodb --regid=mongodb --clear-groups -- "$0" "$@"
    fi
    case " $* " in
        *" --bind_ip"* | *" --config"* | *" -f "*) ;;
        *) set -- "$@" --bind_ip_all ;;
    esac
fi
exec "$@"
