#!/bin/sh
# Works like the official image's entrypoint without MONGO_INITDB_*. Options without a program start mongod. Root
# becomes mongodb. mongod listens on every address unless an option or a configuration file may set the address.
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
