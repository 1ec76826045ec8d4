#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's xenstored in a box, judged by Xen's own test-xenstore: from domain 0 through the socket and from a guest
# through the ring; and the guest's permissions end where they should.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need "$XEN_BIN/test-xenstore"

# judge LOG: twelve tests, each with its times, and no failure.
judge() {
    cat "$1"
    [ "$(grep -c ': avg: ' "$1")" = 12 ] || fail "test-xenstore: $(grep -c ': avg: ' "$1") tests passed, expected 12"
}

box_up
guest_create

say "domain 0"
in_dom0 "$XEN_BIN/test-xenstore" -i 200 >"$SCRATCH/dom0.log" 2>&1
judge "$SCRATCH/dom0.log"

say "domain $DOM"
# It works below a node of its own, which the guest may not make by itself.
in_dom0 xenstore-write "/local/domain/$DOM/xenstore-test" ''
in_dom0 xenstore-chmod "/local/domain/$DOM/xenstore-test" "n$DOM"
in_guest "$DOM" "$XEN_BIN/test-xenstore" -i 200 >"$SCRATCH/guest.log" 2>&1
judge "$SCRATCH/guest.log"

say "permissions"
in_guest "$DOM" xenstore-write data/word "from a guest"
[ "$(in_dom0 xenstore-read "/local/domain/$DOM/data/word")" = "from a guest" ] || fail "domain 0 reads something else"
in_dom0 xenstore-write /local/domain/0/secret hidden
expect_fail 'EACCES|denied|could not|couldn.t' xenbox run -d "$DOM" -- xenstore-read /local/domain/0/secret
expect_fail 'EACCES|denied|could not|couldn.t' xenbox run -d "$DOM" -- xenstore-write /local/domain/0/secret seen

say "the end of the domain"
xenbox domain destroy "$DOM"
expect_fail '' xenbox run -- xenstore-read "/local/domain/$DOM/data/word"
