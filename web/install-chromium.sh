#!/bin/sh
# Makes Chromium usable, in which the tests drive a run's page: does nothing where it is; on Debian
# as root installs it; anywhere else says in one sentence what is missing and exits 1.
set -eu

log=/var/log/install-chromium.log

refuse() {
    echo "Chromium is not usable: $1" >&2
    exit 1
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends chromium >"$log" 2>&1 ||
        { apt-get update -qq >"$log" 2>&1 &&
            apt-get install -y -qq --no-install-recommends chromium >>"$log" 2>&1; }
}

if command -v chromium >/dev/null 2>&1; then exit 0; fi
[ "$(id -u)" = 0 ] || refuse "install it (on Debian: sudo $0), then run this again."
command -v apt-get >/dev/null 2>&1 ||
    refuse "this is not Debian; install it with this system's package manager, as chromium."
echo "installing chromium" >&2
install || refuse "its installation with apt-get failed; see $log."
