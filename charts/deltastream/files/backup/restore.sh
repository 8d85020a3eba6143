#!/bin/bash
# Puts a backup (its name, or the newest) into the real MongoDB: each of its collections is replaced.
# shellcheck source=common.sh
. "${BASH_SOURCE%/*}/common.sh"
task=restore

name=${1:-$(newest)}
[ -d "$BACKUP_DIR/$name" ] || fail "there is no backup $name; there are: $(stored | tr '\n' ' ')"
check_whole "$name"
check_settings
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# --db, since the settings may name the database: without it mongorestore would then look for the files one folder
# higher, find none, and call that a success.
mongorestore --config=<(settings) --db="$database" --gzip --drop --stopOnError \
    --dir="$BACKUP_DIR/$name/dump/$database" 2> "$log" || fail "$(cause "$log")"

noted=0
while read -r count _; do noted=$((noted + count)); done < "$BACKUP_DIR/$name/collections"
restored=$(sed -nE 's/^.*\t([0-9]+) document\(s\) restored successfully.*$/\1/p' "$log")
[ "$restored" = "$noted" ] || fail "${restored:-no} documents restored, $noted are in backup $name"
echo "restore of $name: $restored documents restored"
