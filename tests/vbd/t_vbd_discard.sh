#!/bin/bash
# SPDX-License-Identifier: MIT
# A discard gives the image's blocks back to the file system: those and no others, with each engine. It is offered where
# the disk can and the toolstack allows it (catalogue C12), is counted, and a daemon that is killed in the midst of
# discards has its heir do them again.
. "$(dirname "$0")/../functions.sh"

MIB=16
IMAGE=$SCRATCH/disk.img

# blocks: of 512 bytes, that the image has.
blocks() {
    stat -c %b "$IMAGE"
}

# offered VALUE
offered() {
    local value
    value=$(in_dom0 xenstore-read "backend/vbd/$DOM/$VDEV/feature-discard")
    [ "$value" = "$1" ] || fail "feature-discard is $value, expected $1"
}

box_up
guest_create guest
image_make "$SCRATCH/source.img" $MIB
for engine in io_uring libaio; do
    for direct in on off; do
        say "$engine, direct $direct"
        daemon_start --workers 1 --engine "$engine" --direct "$direct"
        cp --sparse=never "$SCRATCH/source.img" "$IMAGE"
        before=$(blocks)
        disk_attach "$DOM" params="$IMAGE" >/dev/null
        offered 1
        in_guest "$DOM" xenfront blk discard --quiet --offset=1M --size=8M "$VDEV"
        [ "$(blocks)" -le $((before - 8 * 2048)) ] || fail "the image has $(blocks) blocks, it had $before"
        cp "$SCRATCH/source.img" "$SCRATCH/expected.img"
        dd if=/dev/zero of="$SCRATCH/expected.img" bs=1M seek=1 count=8 conv=notrunc status=none
        cmp "$SCRATCH/expected.img" "$IMAGE" || fail "the wrong bytes are gone"
        say "parts of blocks"
        in_guest "$DOM" xenfront blk discard --quiet --offset=$((10 * 1048576 + 512)) --size=5120 "$VDEV"
        dd if=/dev/zero of="$SCRATCH/expected.img" bs=512 seek=$((10 * 2048 + 1)) count=10 conv=notrunc status=none
        cmp "$SCRATCH/expected.img" "$IMAGE" || fail "the wrong bytes are gone"
        in_guest "$DOM" xenfront blk verify --quiet --size=${MIB}M "$VDEV"
        xenbox detach "$DOM" vbd "$VDEV"
        daemon_stop
    done
done

say "counted"
daemon_start --workers 1
disk_attach "$DOM" params=null:4096T >/dev/null
xenbox run -d "$DOM" -- xenfront blk discard --quiet "$VDEV" &
guest=$!
figures='.[0] | select(.discards > 0 and .bytes_discarded == .discards * 1073741824)'
tries=0
until xensplit --run-dir "$SCRATCH/xensplit" --json stats | jq -e "$figures" >"$SCRATCH/stats"; do
    [ $((tries += 1)) -lt 1000 ] && kill -0 $guest || fail "no discard is counted"
    sleep 0.02
done
kill -TERM $guest
wait $guest && fail "four petabytes are discarded" || [ $? = 143 ]
xenbox detach "$DOM" vbd "$VDEV"

say "the toolstack forbids it"
disk_attach "$DOM" params="$IMAGE" discard=0 >/dev/null
offered 0
timeout "$DEADLINE" xenbox run -d "$DOM" -- "$XS_BUILDDIR/tests/hostile/hostile" "$VDEV" discard-not-offered
expect_fail "a backend that offers it expected" xenbox run -d "$DOM" -- xenfront blk discard "$VDEV"
xenbox detach "$DOM" vbd "$VDEV"

say "a disk that is only read"
disk_attach "$DOM" params="$IMAGE" mode=r >/dev/null
offered 0
xenbox detach "$DOM" vbd "$VDEV"
daemon_stop

# The answer comes so late that there is time to kill the daemon, which has written down what it owes.
say "the heir of a daemon that was killed"
at=$((4 * 1048576))
guest=
tries=0
until [ -n "$guest" ]; do
    [ $((tries += 1)) -le 5 ] || fail "no daemon was killed in time"
    cp --sparse=never "$SCRATCH/source.img" "$IMAGE"
    before=$(blocks)
    daemon_start --workers 1 --engine-faults slow=1000000
    disk_attach "$DOM" params="$IMAGE" >/dev/null
    in_guest "$DOM" xenfront blk discard --quiet --offset=$at --size=4M "$VDEV" &
    guest=$!
    while [ "$(blocks)" = "$before" ]; do
        kill -0 $guest 2>/dev/null || fail "the guest is done, but not its discard"
        sleep 0.01
    done
    daemon_kill
    if ! kill -0 $guest 2>/dev/null; then
        wait $guest
        guest=
        daemon_start --workers 1
        xenbox detach "$DOM" vbd "$VDEV"
        daemon_stop
    fi
done
dd if="$SCRATCH/source.img" of="$IMAGE" bs=1M skip=4 seek=4 count=4 conv=notrunc status=none
daemon_start --workers 1
wait $guest || fail "the guest noticed"
cp "$SCRATCH/source.img" "$SCRATCH/expected.img"
dd if=/dev/zero of="$SCRATCH/expected.img" bs=1M seek=4 count=4 conv=notrunc status=none
cmp "$SCRATCH/expected.img" "$IMAGE" || fail "the heir has not done the discard again"
xenbox detach "$DOM" vbd "$VDEV"
