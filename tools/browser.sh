#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the tests in a browser need: Chromium from Debian, and the npm packages of
# test/browser as its lock file says. A machine without a network says so, and skips these
# tests; any other failure is one.
set -eu

cd "$(dirname "$0")/.."
mark=test/browser/node_modules/.no-network
stamp=test/browser/node_modules/.installed
mkdir -p test/browser/node_modules
rm -f $mark

failed() {
    if getent hosts deb.debian.org >/dev/null || npm ping --loglevel=silent >/dev/null 2>&1; then
        exit 1
    fi
    echo "browser.sh: no network to install $1 over; the tests in a browser are skipped" >&2
    mkdir -p test/browser/node_modules
    : >$mark
    exit 0
}

sh tools/deps.sh browser || failed chromium
if ! cmp -s test/browser/package-lock.json $stamp; then
    npm ci --prefix test/browser --ignore-scripts --no-audit --no-fund --loglevel=error ||
        failed playwright-core
    cp test/browser/package-lock.json $stamp
fi
