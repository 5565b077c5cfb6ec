#!/usr/bin/env bash
# What `init` writes, synced by decK onto a Kong that already has other entities. It needs docker with compose, and `npm ci`.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$PWD/dist/live-deck
rm -rf "$folder" && mkdir -p "$folder"
compose() { docker compose -f test/live/docker-compose.deck.yml "$@"; }
trap 'compose down --volumes' EXIT
compose up --detach --build kong
timeout 120 sh -c 'until curl -sf -o /dev/null http://127.0.0.1:8001/status; do sleep 1; done'
deck() { docker run --rm --network host --volume "$folder:/work:ro" --workdir /work kong/deck:v1.65.1 gateway "$@" --kong-addr http://127.0.0.1:8001; }
# The numbers of decK's summary: created, updated, deleted.
summary() { sed -nE 's/^ *(Created|Updated|Deleted): ([0-9]+)$/\2/p' | paste -sd' '; }

cat >"$folder/others.yml" <<'YAML'
_format_version: "3.0"
services:
  - name: other
    url: http://other:8080
    routes:
      - name: other
        paths: [/other]
consumers:
  - username: somebody
YAML
# The user in decK's image reads the files, and not the keys.
chmod a+rx "$folder" && chmod a+r "$folder/others.yml"
deck sync others.yml

node dist/cli/x-custom-jwt.js init --service orders --url http://orders:8080 --gateway https://gateway.example --out "$folder/starter"
chmod a+rx "$folder/starter"
chmod a+r "$folder/starter/kong.yml"
deck diff starter/kong.yml
changes=$(deck sync starter/kong.yml | tee /dev/stderr | summary)
again=$(deck sync starter/kong.yml | tee /dev/stderr | summary)
echo "created, updated, deleted: $changes; with the second sync: $again"
test "${changes##* }" = 0
test "$again" = "0 0 0"
for entity in services/other routes/other consumers/somebody services/orders; do
  curl -sf -o /dev/null "http://127.0.0.1:8001/$entity"
done
echo "the other entities are still there"
