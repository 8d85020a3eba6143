#!/bin/bash
# Restores the newest backup into a temporary mongod in $SCRATCH and compares the restored data with the counts that
# the backup recorded. This mongod listens only on a Unix socket, so the drill needs no network.
# shellcheck source=common.sh
. "${BASH_SOURCE%/*}/common.sh"
task="restore drill"

name=$(newest)
dump=$BACKUP_DIR/$name/dump
check_whole "$name"

log=$SCRATCH/log
again=$SCRATCH/again
socket=$SCRATCH/mongod.sock
uri=mongodb://${socket//\//%2F}
mkdir -p "$SCRATCH/db"
# The TTL monitor is off: it would delete expired documents of the dump while the drill counts them.
mongod --dbpath="$SCRATCH/db" --bind_ip="$socket" --wiredTigerCacheSizeGB=0.25 \
    --setParameter ttlMonitorEnabled=false --setParameter diagnosticDataCollectionEnabled=false \
    --fork --pidfilepath="$SCRATCH/pid" --logpath="$SCRATCH/mongod.log" > "$log" 2>&1 ||
    fail "mongod did not start: $(tail -n 1 "$SCRATCH/mongod.log" "$log" 2> /dev/null | tail -n 1)"
trap 'kill -KILL "$(< "$SCRATCH/pid")"' EXIT # its data is discarded

mongorestore --uri="$uri" --db="$database" --gzip --stopOnError --dir="$dump/$database" 2> "$log" ||
    fail "mongorestore of $name: $(cause "$log")"

# Print a collection's options and indexes from mongodump's metadata as sorted lines. The order of options can vary, and
# mongorestore may create the indexes in another order.
shape() {
    local text
    text=$(sed -E 's/\](,"(uuid|collectionName|type)":"[^"]*")*\}$//')
    {
        tr '{},' '\n' <<< "${text%%\"indexes\":\[*}"
        sed -E 's/\},\{"v":/}\n{"v":/g' <<< "${text#*\"indexes\":\[}"
    } | sort
}

# Print the number of indexes in the output of `shape`.
indexes() {
    grep -c '^{"v":' <<< "$1" || true
}

total=0 different=0
while read -r count bytes collection; do
    total=$((total + 1))
    rm -rf "$again"
    mongodump --uri="$uri" --db="$database" --collection="$collection" --out="$again" 2> "$log" ||
        fail "reading $collection back: $(cause "$log")"
    found=0
    read -r found _ < <(finished "$log") || true
    size=0
    [ ! -f "$again/$database/$collection.bson" ] || size=$(wc -c < "$again/$database/$collection.bson")
    noted=$(gzip --decompress --stdout "$dump/$database/$collection.metadata.json.gz" | shape)
    made=$(cat "$again/$database/$collection.metadata.json" 2> /dev/null | shape)
    if [ "$found" != "$count" ]; then
        verdict="DIFFERENT: $found documents restored"
    elif [ "$size" != "$bytes" ]; then
        verdict="DIFFERENT: $size bytes restored"
    elif [ "$made" != "$noted" ]; then
        verdict="DIFFERENT: $(indexes "$made") indexes restored, or options differ"
    else
        verdict=equal
    fi
    [ "$verdict" = equal ] || different=$((different + 1))
    echo "$collection: $count documents, $bytes bytes, $(indexes "$noted") indexes: $verdict"
done < "$BACKUP_DIR/$name/collections"

[ "$total" -gt 0 ] || fail "backup $name lists no collection"
[ "$different" -eq 0 ] || fail "$different of $total collections differ from backup $name"
echo "restore drill of $name: all $total collections are equal"
