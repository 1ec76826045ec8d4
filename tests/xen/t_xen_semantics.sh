#!/bin/bash
# SPDX-License-Identifier: MIT
# Grants, event channels and the kernel's I/O on granted pages of a box do what was observed on the real Xen: xencheck in
# both directions between domain 0 and a guest, in an autotranslated and in a strict PV box. The same program runs on the real
# thing in `make check-xen CASES='grants-* aio-*'`. The file is on a file system with direct I/O.
. "$(dirname "$0")/../functions.sh"

XENCHECK=$XS_BUILDDIR/tests/xen/xencheck
FILE=$SCRATCH/file
if ! dd if=/dev/zero of="$FILE" bs=4k count=1 oflag=direct 2>/dev/null; then # an older tmpfs
    FILE=$XS_BUILDDIR/t_xen_semantics.file
    defer rm -f "$FILE" "$FILE.slow"
fi

# semantics KIND-OF-MEMORY: both directions in the box that is up.
semantics() {
    local store peer
    guest_create
    store=/local/domain/$DOM/data/xencheck

    say "$1: dom0 maps what the guest shares"
    in_guest "$DOM" "$XENCHECK" peer "$store" 0 &
    peer=$!
    in_dom0 "$XENCHECK" run -m "$1" -f "$FILE" "$store" "$DOM"
    wait $peer

    say "$1: the guest maps what dom0 shares"
    store+=-back # a peer that has gone would be taken for one that is there
    in_dom0 "$XENCHECK" peer "$store" "$DOM" &
    peer=$!
    in_guest "$DOM" "$XENCHECK" run -m "$1" -f "$FILE" "$store" 0
    wait $peer
}

# guest_destroyed KIND-OF-MEMORY: its pages stay until they are unmapped.
guest_destroyed() {
    local store peer
    guest_create doomed
    store=/local/domain/$DOM/data/xencheck
    truncate -s 16M "$FILE.slow"
    say "$1: the guest is destroyed under direct I/O"
    in_guest "$DOM" "$XENCHECK" peer "$store" 0 &
    peer=$!
    in_dom0 env XENBOX_IO=delay=500ms XENCHECK_DESTROY="xenbox domain destroy $DOM" \
        "$XENCHECK" run -m "$1" -f "$FILE.slow" "$store" "$DOM" hazard-guest-destroyed-under-direct-io
    wait $peer || : # it went with its domain
}

box_up
semantics xenbox
guest_destroyed xenbox
box_down
box_up --mode=pv --mapping=strict
semantics xenbox-pv
guest_destroyed xenbox-pv
