#!/bin/bash
# SPDX-License-Identifier: MIT
# Rows of the catalogue about the daemon's surroundings. F04: what is sensitive is read from the toolstack's nodes
# only. F08: a guest that broke its ring and then dies is let go of, to the last mapping. G20: an event channel that
# cannot be had is an error that is said, and the others are served.
. "$(dirname "$0")/../functions.sh"

image_make "$SCRATCH/disk.img" 1
cp "$SCRATCH/disk.img" "$SCRATCH/before.img"
image_make "$SCRATCH/secret.img" 1

say "F04: a guest writes other params and another mode, where it may"
box_up --limit event-channels=24
daemon_start --workers 1
guest_create
disk_attach "$DOM" params="$SCRATCH/disk.img" mode=r >/dev/null
for key in params mode type online; do
    in_guest "$DOM" xenstore-write "device/vbd/$VDEV/$key" "$SCRATCH/secret.img"
    expect_fail 'could not write' xenbox run -d "$DOM" -- \
        xenstore-write "/local/domain/0/backend/vbd/$DOM/$VDEV/$key" w
done
in_guest "$DOM" xenfront blk read -q "$VDEV" | cmp - "$SCRATCH/disk.img"
expect_fail 'Read-only' xenbox run -d "$DOM" -- xenfront blk verify -q --size=64K "$VDEV"
cmp "$SCRATCH/disk.img" "$SCRATCH/before.img"

say "F08: a ring that is broken, and then the guest dies with it"
guest_create evil
disk_attach "$DOM" params="$SCRATCH/secret.img" >/dev/null
xenbox run -d "$DOM" -- "$XS_BUILDDIR/tests/hostile/hostile" "$VDEV" producer-33
xenbox domain destroy "$DOM"
until [ "$(xensplit --run-dir "$SCRATCH/xensplit" list | grep -c "vbd $DOM/")" = 0 ]; do
    [ $SECONDS -lt $((2 * DEADLINE)) ] || fail "the device of a dead guest stays"
done
! xenbox domain list | grep -q dying || fail "the daemon holds on to pages of the dead"

say "G20: no event channel is left in domain 0"
guest_create crowd
VDEVS=()
for ((i = 0; i < 40; i++)); do
    VDEVS+=($((51712 + 16 * i)))
    xenbox attach "$DOM" vbd vdev="${VDEVS[i]}" params=mem:1M >/dev/null
done
PIDS=()
for ((i = 0; i < 40; i++)); do
    xenbox run -d "$DOM" -- xenfront blk bench -q -d 1 --data-pages 11 -t 3600 "${VDEVS[i]}" >"$SCRATCH/bench.$i.log" 2>&1 &
    PIDS+=($!)
    wait_store "/local/domain/0/backend/vbd/$DOM/${VDEVS[i]}/state" '[456]'
    kill -0 "${PIDS[i]}" 2>/dev/null || break
    [ "$(in_dom0 xenstore-read "/local/domain/0/backend/vbd/$DOM/${VDEVS[i]}/state")" = 4 ] || break
done
[ "$i" -gt 2 ] && [ "$i" -lt 40 ] || fail "$i devices with 24 event channels"
say "$i devices were connected"
in_dom0 xenstore-read "error/backend/vbd/$DOM/${VDEVS[i]}/error" | grep 'event-channel: .* cannot be bound'
for ((j = 0; j < i; j++)); do
    kill -0 "${PIDS[j]}" || fail "one that was there before noticed"
done
kill -TERM "${PIDS[@]}" 2>/dev/null || :
wait "${PIDS[@]}" || :
in_guest "$DOM" xenfront blk verify -q --size=64K "${VDEVS[i]}"
xenbox domain destroy "$DOM"
wait_log "$DAEMON_LOG" "vbd $DOM/${VDEVS[0]}: gone"
