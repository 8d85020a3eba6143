# Functions that the backup scripts share: find backups, check them, and call MongoDB's tools.
# The layout of a backup. The folder is named after the start time in UTC, so that names sort by time. It gets this name
# by a rename, which is the last step of a backup.
#
# $BACKUP_DIR/20261125T021500Z/
#     dump/deltastream/           mongodump's files: {collection}.bson.gz and {collection}.metadata.json.gz
#     collections                 a line for each collection: documents, bytes of BSON, name
#     SHA256SUMS                  checksums of all other files
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C
umask 077
database=deltastream

# Print one line with $task and the reason to stderr, and exit with status 1.
fail() {
    echo "$task failed: $*" >&2
    exit 1
}

# Print the names of the complete backups, oldest first.
stored() {
    local folder
    for folder in "$BACKUP_DIR"/[0-9]*Z; do
        if [ -f "$folder/SHA256SUMS" ]; then echo "${folder##*/}"; fi
    done
}

# Print the configuration for a MongoDB tool that connects to the release's MongoDB. The tool reads it through a pipe,
# so that the password is in no other file of this pod and on no command line.
settings() {
    local url
    url=$(< "$MONGO_URL_FILE")
    printf "uri: '%s'\n" "${url//\'/\'\'}"
}

# Fail if the URL is empty, because a MongoDB tool would then connect to localhost.
check_settings() {
    [ -s "$MONGO_URL_FILE" ] || fail "mongo_url is missing or empty in the Secret"
}

# Print "documents collection" for each finished collection in mongodump's log. Newer versions of mongodump quote the
# name.
finished() {
    sed -nE "s/^.*\tdone dumping \`?$database\.([^\` ]+)\`? \(([0-9]+) documents?\).*$/\2 \1/p" "$1"
}

# Print the error from a tool's log, without the timestamp and with the password masked.
cause() {
    { grep -iE 'failed:|error' "$1" || cat "$1"; } | tail -n 1 |
        sed -E 's/^[^\t]*\t//; s/^Failed: //; s#(mongodb(\+srv)?://)[^@ ]*@#\1***@#'
}

# Fail unless every file of the backup matches its checksum.
check_whole() {
    local report
    if ! report=$(cd "$BACKUP_DIR/$1" && sha256sum --check --quiet --strict SHA256SUMS 2>&1); then
        fail "backup $1 is damaged: $(grep -m 1 -E 'FAILED|sha256sum:' <<< "$report")"
    fi
}

# Print the name of the newest backup. Fail if there is no backup.
newest() {
    local name
    name=$(stored | tail -n 1)
    [ -n "$name" ] || fail "there is no backup in $BACKUP_DIR"
    echo "$name"
}
