#!/bin/bash
# SPDX-License-Identifier: MIT
# A page of a request cannot be unmapped: the request is not answered, nor is any after it, for the guest would use the
# page for something else. The device closes and says why, the guest's program is told, another device goes on, and the
# next connect works. What could not be unmapped is tried again when the ring goes.
. "$(dirname "$0")/../functions.sh"

BOARD=$SCRATCH/calls
# arm N [NAME]: the N-th call of this function from now on fails; 0: none.
arm() {
    local bytes
    { printf '%s' "${2:-}"; head -c 40 /dev/zero; } | head -c 40 | dd of="$BOARD" bs=1 seek=64 conv=notrunc status=none
    printf -v bytes '\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8))
    printf '%b' "$bytes" | dd of="$BOARD" bs=1 seek=8 conv=notrunc status=none
}
DAEMON_WRAP=(env LD_PRELOAD="$XS_BUILDDIR/tests/faults/.libs/calls.so" XS_CALLS="$BOARD"
    ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0")

# one MAPPED-IO: with each piece mapped for itself (off), or the request's pages for its I/O (on).
one() {
    local error="error/backend/vbd/${guests[0]}/$VDEV/error" status=0
    head -c 4096 /dev/zero >"$BOARD"
    daemon_start --workers 1 --engine libaio --data-method map --mapped-io "$1"
    for i in 0 1; do
        disk_attach "${guests[i]}" params="$SCRATCH/$i.img" >/dev/null
        in_guest "${guests[i]}" xenfront blk verify --quiet --size=1M "$VDEV"
    done
    for ((i = 0; i < 2; i++)); do
        arm 5 xengnttab_unmap
        expect_fail 'vbd|xvda' xenbox run -d "${guests[0]}" -- xenfront blk verify --quiet --size=1M "$VDEV"
        arm 0
        wait_store "/local/domain/0/backend/vbd/${guests[0]}/$VDEV/state" '[56]'
        in_dom0 xenstore-read "$error" | grep "pages cannot be unmapped, so that nothing may be answered any more"
        grep -q "vbd ${guests[0]}/$VDEV q0: cannot unmap [0-9]* pages of the guest's: Cannot allocate memory" "$DAEMON_LOG"
        in_guest "${guests[1]}" xenfront blk verify --quiet --size=1M "$VDEV"
    done
    in_guest "${guests[0]}" xenfront blk verify --quiet --size=1M "$VDEV"
    xenbox check
    for i in 0 1; do
        xenbox detach "${guests[i]}" vbd "$VDEV"
    done
    daemon_stop
    : >"$DAEMON_LOG"
}

box_up
guests=()
for i in 0 1; do
    truncate -s 1M "$SCRATCH/$i.img"
    guest_create "guest$i"
    guests+=("$DOM")
done
for mapped_io in off on; do
    say "mapped-io = $mapped_io"
    one $mapped_io
done
