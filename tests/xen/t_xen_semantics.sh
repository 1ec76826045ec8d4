#!/bin/bash
# SPDX-License-Identifier: MIT
# Grants and event channels of a box do what was observed on the real Xen: xencheck in both directions between
# domain 0 and a guest. The same program runs on the real thing in `make check-xen CASES='grants-*'`.
. "$(dirname "$0")/../functions.sh"

XENCHECK=$XS_BUILDDIR/tests/xen/xencheck

box_up
guest_create
store=/local/domain/$DOM/data/xencheck

say "dom0 maps what the guest shares"
in_guest "$DOM" "$XENCHECK" peer "$store" 0 &
peer=$!
in_dom0 "$XENCHECK" run -m xenbox "$store" "$DOM"
wait $peer

say "the guest maps what dom0 shares"
store+=-back # a peer that has gone would be taken for one that is there
in_dom0 "$XENCHECK" peer "$store" "$DOM" &
peer=$!
in_guest "$DOM" "$XENCHECK" run -m xenbox "$store" 0
wait $peer
