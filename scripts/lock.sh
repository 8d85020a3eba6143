#!/usr/bin/env bash
# Compile every requirements.in into a requirements.txt with hashes, with the versions of constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {  # $1 = the .in file; the .txt is written next to it
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
    --constraint constraints.txt "$1" --output-file "${1%.in}.txt"
}
for input in services/*/requirements*.in operator/requirements.in requirements/*.in; do compile "$input"; done
