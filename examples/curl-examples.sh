#!/usr/bin/env bash
# A tour of the REST gateway with curl. BASE_URL: another gateway. TOKEN: made here unless given.
set -euo pipefail

BASE_URL=${BASE_URL:-http://localhost:8000}
PRODUCT=${PRODUCT:-NIFTY}
ACCOUNT="{\"email\":\"desk-$RANDOM$RANDOM@example.com\",\"password\":\"a-desk-of-one\",\"name\":\"Desk\"}"

show() { # what it is, path, further arguments of curl
  printf '\n# %s\n%s\n' "$1" "GET $2"
  curl --fail-with-body --silent --show-error "${@:3}" "$BASE_URL$2" | cut -c 1-400
  echo
}

if [[ -z ${TOKEN:-} ]]; then
  answer=$(curl --fail-with-body --silent --show-error \
    --header "Content-Type: application/json" --data "$ACCOUNT" "$BASE_URL/api/auth/register")
  TOKEN=$(sed -E 's/.*"token": ?"([^"]+)".*/\1/' <<<"$answer")
fi
bearer=(--header "Authorization: Bearer $TOKEN")

show "Does everything serve?" /health
show "Products" /api/data/products "${bearer[@]}"
show "Ticks" "/api/data/underlying/$PRODUCT?limit=5" "${bearer[@]}"
show "Expiries" "/api/data/expiries/$PRODUCT" "${bearer[@]}"
show "The newest chain" "/api/data/chain/$PRODUCT?limit=1" "${bearer[@]}"
show "Put/call ratios" "/api/analytics/pcr/$PRODUCT" "${bearer[@]}"
show "Volatilities by expiry and strike" "/api/analytics/volatility-surface/$PRODUCT" "${bearer[@]}"
show "Bars of a minute" "/api/analytics/ohlc/$PRODUCT?window=1&limit=3" "${bearer[@]}"
