# Read by the scripts beside it: how a backup is laid out, found and judged.
#
# $BACKUP_DIR/20261125T021500Z/   the time in UTC, so that names sort as times do; whole, since it was renamed last
#     dump/deltastream/           what mongodump wrote: {collection}.bson.gz and {collection}.metadata.json.gz
#     collections                 a line each: documents, bytes of BSON, name
#     SHA256SUMS                  of every other file
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C
umask 077
database=deltastream

# One line that says why, and the end. $task names what was tried.
fail() {
    echo "$task failed: $*" >&2
    exit 1
}

# Names of the whole backups, oldest first.
stored() {
    local folder
    for folder in "$BACKUP_DIR"/[0-9]*Z; do
        if [ -f "$folder/SHA256SUMS" ]; then echo "${folder##*/}"; fi
    done
}

# The settings of a tool that talks to the real MongoDB. A pipe is read from it: the password is in no file of this
# pod and on no command line.
settings() {
    local url
    url=$(< "$MONGO_URL_FILE")
    printf "uri: '%s'\n" "${url//\'/\'\'}"
}

# Ends with `fail` where the tool would take an empty setting for a MongoDB of its own machine.
check_settings() {
    [ -s "$MONGO_URL_FILE" ] || fail "mongo_url is missing or empty in the Secret"
}

# "documents collection" for each collection that mongodump's log calls done; newer versions quote the name.
finished() {
    sed -nE "s/^.*\tdone dumping \`?$database\.([^\` ]+)\`? \(([0-9]+) documents?\).*$/\2 \1/p" "$1"
}

# What a tool's log says of its failure, without the time and without a password.
cause() {
    { grep -iE 'failed:|error' "$1" || cat "$1"; } | tail -n 1 |
        sed -E 's/^[^\t]*\t//; s/^Failed: //; s#(mongodb(\+srv)?://)[^@ ]*@#\1***@#'
}

# Ends with `fail` unless every file of the backup is the one that was written.
check_whole() {
    local said
    if ! said=$(cd "$BACKUP_DIR/$1" && sha256sum --check --quiet --strict SHA256SUMS 2>&1); then
        fail "backup $1 is damaged: $(grep -m 1 -E 'FAILED|sha256sum:' <<< "$said")"
    fi
}

# The newest backup; ends with `fail` if there is none.
newest() {
    local name
    name=$(stored | tail -n 1)
    [ -n "$name" ] || fail "there is no backup in $BACKUP_DIR"
    echo "$name"
}
