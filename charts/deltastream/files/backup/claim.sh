#!/bin/bash
# Whether backups can be written, said when the release is made and not first at night.
# shellcheck source=common.sh
. "${BASH_SOURCE%/*}/common.sh"
task="check of the backups' claim"

probe=$(mktemp "$BACKUP_DIR/.probe.XXXXXX" 2> /dev/null) || fail "$(id -u) cannot write into $BACKUP_DIR"
rm -f "$probe"
echo "backups: the claim can be written, $(df --human-readable --output=avail "$BACKUP_DIR" | tail -n 1 | tr -d ' ') free"
