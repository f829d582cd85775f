#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the libFuzzer targets with clang and runs each, or the one named, for some seconds.
#
#   tools/fuzz.sh BUILD SECONDS [TARGET]
set -eu
build=$1
seconds=$2
only=${3:-}
case $only in
"" | fuzz_*) ;;
*) only=fuzz_$only ;;
esac

[ -f "$build/build.ninja" ] || CC=clang meson setup -Dfuzz=true "$build"
if [ -n "$only" ] && [ ! -f "test/fuzz/$only.c" ]; then
    echo "no such target: $only" >&2
    exit 2
fi
ninja -C "$build" "${only:+test/fuzz/}${only:-fuzz_targets}"

failed=0
ran=0
for target in "$build"/test/fuzz/fuzz_*; do
    name=$(basename "$target")
    if [ ! -f "$target" ] || [ ! -x "$target" ]; then
        continue
    fi
    [ -z "$only" ] || [ "$only" = "$name" ] || continue
    ran=$((ran + 1))
    seeds=test/fuzz/corpus/${name#fuzz_}
    # New finds go beside the build; the seeds in the repository are only read.
    found=$build/found/${name#fuzz_}
    mkdir -p "$found" "$build/crashes"
    [ -d "$seeds" ] || seeds=
    echo "$name: $seconds s"
    # shellcheck disable=SC2086 # seeds may be nothing
    if ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="$build/crashes/$name-" "$found" $seeds; then
        failed=$((failed + 1))
        echo "$name: FAILED; see $build/crashes/$name-*"
    fi
done
echo "$((ran - failed)) passed, $failed failed"
[ $failed = 0 ]
