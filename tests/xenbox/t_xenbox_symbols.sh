#!/bin/bash
# SPDX-License-Identifier: MIT
# The replacement libraries export what Debian's libraries export, each symbol with the same version, and nothing
# else: a program that was linked against one runs with the other.
# short: yes
. "$(dirname "$0")/../functions.sh"
need readelf pkg-config

# "name version" of what a library exports, sorted.
exports() {
    readelf --dyn-syms -W "$1" | awk '$4 == "FUNC" && $7 != "UND" && $8 ~ /@@/ { sub("@@", " ", $8); print $8 }' | sort
}

libdir=$(pkg-config --variable=libdir xengnttab)
for library in libxengnttab.so.1 libxenevtchn.so.1 libxencall.so.1 libxenforeignmemory.so.1; do
    exports "$libdir/$library" >"$SCRATCH/theirs"
    exports "$XENBOX_LIBDIR/$library" >"$SCRATCH/ours"
    [ -s "$SCRATCH/theirs" ]
    diff -u "$SCRATCH/theirs" "$SCRATCH/ours" || fail "$library exports something else"
    say "$library: $(wc -l <"$SCRATCH/ours") symbols"
done
