#!/bin/bash
# Restores a backup into the release's MongoDB and replaces each collection that the backup contains. Argument: the
# backup's name; default: the newest.
# shellcheck source=common.sh
. "${BASH_SOURCE%/*}/common.sh"
task=restore

name=${1:-$(newest)}
[ -d "$BACKUP_DIR/$name" ] || fail "there is no backup $name; choose one of: $(stored | tr '\n' ' ')"
check_whole "$name"
check_settings
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# --db is needed when the URL names the database: without --db mongorestore would then look for the files one folder
# higher, find none and exit with success.
mongorestore --config=<(settings) --db="$database" --gzip --drop --stopOnError \
    --dir="$BACKUP_DIR/$name/dump/$database" 2> "$log" || fail "$(cause "$log")"

noted=0
while read -r count _; do noted=$((noted + count)); done < "$BACKUP_DIR/$name/collections"
restored=$(sed -nE 's/^.*\t([0-9]+) document\(s\) restored successfully.*$/\1/p' "$log")
[ "$restored" = "$noted" ] || fail "${restored:-no} documents restored, but backup $name has $noted"
echo "restore of $name: $restored documents restored"
