#!/usr/bin/env bash
# The files of deploy/kubernetes on a cluster in Docker (kind), with the images of the Dockerfile: applied twice, a gateway deleted
# under traffic, and the conformance suite. It needs docker, kind, kubectl, helm, jq, and `npm ci`. The cluster stays there:
# kind delete cluster --name x-custom-jwt
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf '\n== %s\n' "$*"; }
# What must come true within a minute.
eventually() {
  for _ in $(seq 60); do
    if "$@"; then return; fi
    sleep 1
  done
  echo "not within a minute: $*" >&2
  return 1
}

kic=deploy/kubernetes/kic
url=http://127.0.0.1:30080
image=$(sed -nE 's/^ *image: (registry.*)$/\1/p' $kic/values.yaml)
export KUBECONFIG=$PWD/dist/live/kubeconfig
rm -rf dist/live && mkdir -p dist/live

step images and cluster
docker build --quiet --target kong --tag "$image" .
docker build --quiet --target backend --tag x-custom-jwt-backend:live .
kind create cluster --name x-custom-jwt --config test/live/kind.yaml --wait 180s
kind load docker-image --name x-custom-jwt "$image" x-custom-jwt-backend:live
helm repo add kong https://charts.konghq.com

step Ingress Controller
node dist/cli/x-custom-jwt.js keys generate --out dist/live/keys
kubectl create namespace kong
kubectl create namespace shop
kubectl -n kong create secret generic x-custom-jwt --from-file=private-jwk=dist/live/keys/private-jwk.json
helm upgrade --install kong kong/ingress --version 0.24.0 -n kong -f $kic/values.yaml -f test/live/ingress.values.yaml --wait --timeout 5m
publish() {
  jq -Rs . "$1" | kubectl -n shop create secret generic x-custom-jwt-jwks --from-file=public-jwks=/dev/stdin --dry-run=client -o yaml |
    kubectl apply -f -
  kubectl -n shop label --overwrite secret x-custom-jwt-jwks konghq.com/secret=true
}
publish dist/live/keys/public-jwks.json
apply() { kubectl -n shop apply -f test/live/shop.yaml -f $kic/plugin.yaml -f $kic/orders.yaml -f $kic/jwks.yaml; }
apply
kubectl -n shop rollout status deployment/orders --timeout 2m
traffic() { node -r ts-node/register test/live/traffic.ts $url/orders alice-key alice "$1"; }
eventually curl -sf -o /dev/null -H 'apikey: alice-key' $url/orders
eventually curl -sf -o /dev/null $url/x-custom-jwt/jwks
traffic 3

step applied twice
apply | tee dist/live/second.log
if grep -vE ' unchanged$' dist/live/second.log; then
  echo "applying the same files again changed something" >&2
  exit 1
fi
# The controller would have taken a change over by then.
sleep 10
traffic 3
test "$(curl -sf -o /dev/null -w '%{http_code}' $url/orders || true)" = 401

step another JWK Set
node dist/cli/x-custom-jwt.js keys generate --out dist/live/other
jq -s '{ keys: (.[0].keys + .[1].keys) }' dist/live/keys/public-jwks.json dist/live/other/public-jwks.json >dist/live/both.json
publish dist/live/both.json
has_both() { test "$(curl -sf $url/x-custom-jwt/jwks | jq '.keys | length')" = 2; }
eventually has_both
traffic 3

step a gateway deleted under traffic
traffic 60 &
pod=$(kubectl -n kong get pods -l app.kubernetes.io/name=gateway -o name | head -1)
sleep 5
kubectl -n kong delete "$pod" --wait --timeout 60s
wait $!

step chart kong/kong under the policy restricted, with the conformance suite
kubectl create namespace dataplane
kubectl label namespace dataplane pod-security.kubernetes.io/enforce=restricted
kubectl -n dataplane create secret generic client-ca --from-file=test-keys/client-ca.pem
kubectl -n dataplane create configmap kong-yml --from-file=kong.yml
kubectl -n dataplane apply -f test/live/httpbin.yaml
kubectl -n dataplane apply -f deploy/monitoring/network-policy.yaml
helm upgrade --install kong kong/kong --version 3.4.1 -n dataplane -f deploy/kubernetes/values.yaml -f deploy/monitoring/values.yaml \
  -f test/live/kong.values.yaml --wait --timeout 5m
kubectl -n dataplane rollout status deployment/httpbin --timeout 2m
kubectl -n dataplane logs deployment/kong-kong -c proxy | grep 'metrics served'
npm run --silent conformance -- --proxy http://127.0.0.1:30090 --proxy-tls https://127.0.0.1:30443 --restart \
  "kubectl -n dataplane exec deploy/kong-kong -c proxy -- sh -c 'kill -9 \$(grep -la \"[p]luginserver\" /proc/[0-9]*/cmdline | cut -d/ -f3)'"
