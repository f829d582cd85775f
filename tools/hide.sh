#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes an archive of one object out of another archive; of its names only detour_* stay visible.
#
#   tools/hide.sh COMPILER [ARGUMENT…] -- IN.a OUT.a
set -eu

compiler=$1
while [ "$1" != -- ]; do
    shift
done
shift
in=$1
out=$2
object=$out.o

"$compiler" -r -nostdlib -o "$object" -Wl,--whole-archive "$in" -Wl,--no-whole-archive
objcopy --wildcard --keep-global-symbol='detour_*' "$object"
rm -f "$out"
ar rcsD "$out" "$object"
rm -f "$object"
