#!/bin/sh
# Makes the sandbox's base image without a registry: Debian bookworm (python 3.11), numpy and
# pytest, by debootstrap, piped to `docker import`. Needs root, debootstrap and a Debian mirror.
#
#   sandbox/base-image.sh [TAG]        default tag: rasft-sandbox-base:bookworm
#   DEBIAN_MIRROR=URL                  another mirror than debootstrap's own
#   CA_BUNDLE=FILE                     certificates the image shall trust (default: this machine's)
set -eu

tag=${1:-rasft-sandbox-base:bookworm}
bundle=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}

refuse() {
    echo "base-image.sh: $1" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || refuse "debootstrap needs root; run it as root or set RASFT_SANDBOX_BASE_IMAGE."
command -v debootstrap >/dev/null || refuse "debootstrap is missing; install it (apt-get install debootstrap)."

root=$(mktemp -d "${TMPDIR:-/var/tmp}/rasft-base.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT

# word splitting of the mirror is wanted: empty means debootstrap's own default
debootstrap --variant=minbase --include=python3,python3-numpy,python3-pytest,python3-pip,ca-certificates \
    bookworm "$root" ${DEBIAN_MIRROR:-} >"$root.log" 2>&1 || {
    tail -n 5 "$root.log" >&2
    refuse "debootstrap failed; its whole log is $root.log."
}
rm -f "$root.log"

if [ -r "$bundle" ]; then
    # a build machine behind its own certificate authority: pip inside a build must trust it too
    cp -L "$bundle" "$root/etc/ssl/certs/ca-certificates.crt"
fi
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
    "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/var/log/*
ln -sf python3 "$root/usr/bin/python"

tar -C "$root" --one-file-system -c . | docker import --change 'ENV LANG=C.UTF-8' - "$tag" >/dev/null
echo "$tag"
