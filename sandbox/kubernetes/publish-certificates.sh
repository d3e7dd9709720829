#!/bin/sh
# Copies the client certificates of the Docker-in-Docker pod, and where it listens, into the secret
# sandbox-docker-client, whose keys become the environment of a pod that names it. Run it again
# after the pod was made anew: it makes new certificates.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in ca cert key; do
    kubectl exec deployment/sandbox-docker -- cat "/certs/client/$name.pem" >"$folder/$name"
done
kubectl create secret generic sandbox-docker-client \
    --from-literal=DOCKER_HOST=tcp://sandbox-docker:2376 --from-literal=DOCKER_TLS_VERIFY=1 \
    --from-file=DOCKER_CA_PEM="$folder/ca" --from-file=DOCKER_CERT_PEM="$folder/cert" \
    --from-file=DOCKER_KEY_PEM="$folder/key" \
    --dry-run=client --output=yaml | kubectl apply -f -
