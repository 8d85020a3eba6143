#!/bin/bash
# Dumps MongoDB into a folder of its own in $BACKUP_DIR. Only once that is whole the oldest go, down to $KEEP.
# shellcheck source=common.sh
. "${BASH_SOURCE%/*}/common.sh"
task=backup

cd "$BACKUP_DIR"
exec 9> .lock
flock --nonblock 9 || fail "another backup is being made"
rm -rf -- *.partial # of a run that was killed

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
    bytes=$(gzip --decompress --stdout "$file" | wc -c) || fail "${file##*/} is not whole"
    echo "$count $bytes $collection" >> "$partial/collections" || fail "cannot write $partial/collections"
    collections=$((collections + 1)) documents=$((documents + count)) total=$((total + bytes))
done < <(finished "$log")
# Without collections it is the wrong database, and such backups would push the good ones out.
[ "$collections" -gt 0 ] || fail "there is no collection in the database $database"
files=$(find "$partial/dump" -name '*.bson.gz' | wc -l)
[ "$files" -eq "$collections" ] || fail "mongodump told of $collections collections and wrote $files files"

(cd "$partial" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS) ||
    fail "cannot write the checksums"
sync -f "$partial/SHA256SUMS"
size=$(du -sb "$partial" | cut -f 1)
mv -T "$partial" "$name"

mapfile -t all < <(stored)
deleted=0
while [ "$((${#all[@]} - deleted))" -gt "$KEEP" ]; do
    old=${all[deleted]}
    mv "$old" "$old.partial" # a half-deleted one must not look whole
    rm -rf -- "$old.partial"
    deleted=$((deleted + 1))
done
echo "backup $name: $collections collections, $documents documents, $total bytes, $size compressed;" \
    "$((${#all[@]} - deleted)) kept, $deleted deleted"
