#!/usr/bin/env bash
# Pushes one tick into an external feed with curl, twice: the answers say accepted, then repeated.
# BASE_URL is the gateway's address. TOKEN is an access token of an account with the role ingest; without it the script
# logs in with EMAIL and PASSWORD. FEED is the feed, PRODUCT one of its products, PRICE the price.
set -euo pipefail

BASE_URL=${BASE_URL:-http://localhost:8000}
FEED=${FEED:-mine}
PRODUCT=${PRODUCT:-SPY}
PRICE=${PRICE:-601.25}

# Other users of this machine see the arguments of programs, so curl reads the password and the token from files.
if [[ -z ${TOKEN:-} ]]; then
  escaped=${PASSWORD//\\/\\\\} escaped=${escaped//\"/\\\"}
  answer=$(curl --fail-with-body --silent --show-error --header "Content-Type: application/json" \
    --data-binary @<(printf '{"email":"%s","password":"%s"}' "$EMAIL" "$escaped") "$BASE_URL/api/auth/login") ||
    { echo "$answer" >&2; exit 1; }
  TOKEN=$(sed -E 's/.*"token": ?"([^"]+)".*/\1/' <<<"$answer")
fi

now=$(date +%s%N)
tick="{\"kind\":\"underlying\",\"mid\":\"$(date +%s):$((10#${now: -9} + 1))\",\"feed\":\"$FEED\",\"product\":\"$PRODUCT\",\"ts\":$now,\
\"sent_ts\":$now,\"replay\":0,\"price\":$PRICE,\"truth\":null}"
for _ in first again; do
  curl --fail-with-body --silent --show-error --retry 10 --retry-connrefused \
    --header @<(printf 'Authorization: Bearer %s' "$TOKEN") --header "Content-Type: application/x-ndjson" \
    --data-binary "$tick" "$BASE_URL/api/ingest/$FEED"
  echo
done
