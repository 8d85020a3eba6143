#!/bin/bash
# Checks at installation whether backups can be written, so that an unsuitable volume is found before the first
# nightly backup.
# shellcheck source=common.sh
. "${BASH_SOURCE%/*}/common.sh"
task="check of the backup volume"

probe=$(mktemp "$BACKUP_DIR/.probe.XXXXXX" 2> /dev/null) || fail "user $(id -u) cannot write to $BACKUP_DIR"
rm -f "$probe"
echo "backups: the claim can be written, $(df --human-readable --output=avail "$BACKUP_DIR" | tail -n 1 | tr -d ' ') free"
