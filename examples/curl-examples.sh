#!/usr/bin/env bash
# Calls the REST gateway with curl and prints the beginning of each response.
# BASE_URL is the gateway's address. TOKEN is an access token; without it the script registers a new account.
set -euo pipefail

BASE_URL=${BASE_URL:-http://localhost:8000}
PRODUCT=${PRODUCT:-NIFTY}
ACCOUNT="{\"email\":\"desk-$RANDOM$RANDOM@example.com\",\"password\":\"a-desk-of-one\",\"name\":\"Desk\"}"

# Print the response to a GET request. Arguments: title, path, additional arguments of curl.
show() {
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

show "Health of all services" /health
show "Products" /api/data/products "${bearer[@]}"
show "Ticks" "/api/data/underlying/$PRODUCT?limit=5" "${bearer[@]}"
show "Expiries" "/api/data/expiries/$PRODUCT" "${bearer[@]}"
show "The newest chain" "/api/data/chain/$PRODUCT?limit=1" "${bearer[@]}"
show "Put/call ratios" "/api/analytics/pcr/$PRODUCT" "${bearer[@]}"
show "Implied volatilities by expiry and strike" "/api/analytics/volatility-surface/$PRODUCT" "${bearer[@]}"
show "One-minute bars" "/api/analytics/ohlc/$PRODUCT?window=1&limit=3" "${bearer[@]}"
