#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs a real database of places (DB-IP City Lite, CC BY 4.0), 130 MB, as the lock file of
# test/places says, for the slow tests and the benchmark of pools. Nothing of it is committed.
# A machine without a network says so, and what needs it is skipped; any other failure is one.
set -eu

cd "$(dirname "$0")/.."
stamp=test/places/node_modules/.installed

if ! cmp -s test/places/package-lock.json $stamp; then
    if ! npm ci --prefix test/places --ignore-scripts --no-audit --no-fund --loglevel=error; then
        npm ping --loglevel=silent >/dev/null 2>&1 && exit 1
        echo "places.sh: no network to install a database over; what needs it is skipped" >&2
        exit 0
    fi
    cp test/places/package-lock.json $stamp
fi
