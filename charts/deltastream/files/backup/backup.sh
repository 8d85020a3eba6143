#!/bin/bash
# Dumps MongoDB into a new folder in $BACKUP_DIR. Once the new backup is complete, deletes the oldest backups until
# $KEEP are left.
# shellcheck source=common.sh
. "${BASH_SOURCE%/*}/common.sh"
task=backup

cd "$BACKUP_DIR"
exec 9> .lock
flock --nonblock 9 || fail "another backup is running"
rm -rf -- *.partial # left by a run that was killed

check_settings

name=$(date -u +%Y%m%dT%H%M%SZ)
while [ -e "$name" ]; do
    sleep 0.2
    name=$(date -u +%Y%m%dT%H%M%SZ)
done
partial=$name.partial
mkdir -p "$partial/dump"
log=$(mktemp)
trap 'rm -rf -- "$BACKUP_DIR/$partial" "$log"' EXIT

mongodump --config=<(settings) --db="$database" --gzip --out="$partial/dump" --numParallelCollections=1 2> "$log" ||
    fail "$(cause "$log")"

collections=0 documents=0 total=0
while read -r count collection; do
    file=$partial/dump/$database/$collection.bson.gz
    bytes=$(gzip --decompress --stdout "$file" | wc -c) || fail "${file##*/} is incomplete"
    echo "$count $bytes $collection" >> "$partial/collections" || fail "cannot write $partial/collections"
    collections=$((collections + 1)) documents=$((documents + count)) total=$((total + bytes))
done < <(finished "$log")
# A dump without collections is of the wrong database. Keeping it would delete good backups later.
[ "$collections" -gt 0 ] || fail "the database $database has no collections; check the database in mongo_url"
files=$(find "$partial/dump" -name '*.bson.gz' | wc -l)
[ "$files" -eq "$collections" ] || fail "mongodump reported $collections collections but wrote $files files"

(cd "$partial" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS) ||
    fail "cannot write the checksums"
sync -f "$partial/SHA256SUMS"
size=$(du -sb "$partial" | cut -f 1)
mv -T "$partial" "$name"

mapfile -t all < <(stored)
deleted=0
while [ "$((${#all[@]} - deleted))" -gt "$KEEP" ]; do
    old=${all[deleted]}
    mv "$old" "$old.partial" # a partly deleted backup must not look complete
    rm -rf -- "$old.partial"
    deleted=$((deleted + 1))
done
echo "backup $name: $collections collections, $documents documents, $total bytes, $size compressed;" \
    "$((${#all[@]} - deleted)) kept, $deleted deleted"
