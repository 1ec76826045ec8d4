#!/bin/bash
# SPDX-License-Identifier: MIT
# The replacement libraries have each symbol, version node and soname of the real ones, and need no sanitizer.
# short: yes
. "$(dirname "$0")/../functions.sh"

need readelf pkg-config

# What a program takes from a library, but for the munmap of ours that stands before the C library's.
exports() {
    readelf --dyn-syms -W "$1" | awk '$7 != "UND" && $5 == "GLOBAL" { print $8 }' | grep -v GLIBC | sort
}

soname() {
    readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'
}

libdir=$(pkg-config --variable=libdir xengnttab)
for library in libxen{gnttab,evtchn,call,foreignmemory}.so.1 libaio.so.1 liburing.so.2; do
    real=$libdir/$library
    ours=$XENBOX_LIBDIR/$library
    say "$library"
    [ -e "$real" ] || skip "$real is not installed"
    [ "$(soname "$ours")" = "$(soname "$real")" ] || fail "$ours: soname $(soname "$ours")"
    [ -n "$(exports "$real")" ] || fail "$real exports nothing"
    diff <(exports "$real") <(exports "$ours") || fail "$ours does not export what $real does"
    if readelf -d "$ours" | grep -E 'NEEDED.*lib(a|ub|t)san'; then
        fail "$ours needs a sanitizer: programs of others could not load it"
    fi
done
