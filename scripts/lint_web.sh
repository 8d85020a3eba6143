#!/usr/bin/env bash
# Check the types of the web page's modules, which are JSDoc comments, with the TypeScript compiler.
# Only this check needs Node.js. Without it the check is skipped, or fails with CI=true.
set -euo pipefail
cd "$(dirname "$0")/../requirements/web"
if ! command -v npm >/dev/null; then
  echo "the types of the web page are not checked: there is no npm"
  [[ ${CI:-} != true ]]
  exit
fi
if ! cmp --silent package-lock.json node_modules/.installed-lock; then
  npm ci --silent --no-audit --no-fund
  cp package-lock.json node_modules/.installed-lock
fi
node_modules/.bin/tsc --project tsconfig.json
