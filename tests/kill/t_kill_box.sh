#!/bin/bash
# SPDX-License-Identifier: MIT
# What is below the daemon is killed at a random point, under load. Without its store it serves on whom it serves and
# ends in order; with the hypervisor's process everything of the box ends, and nothing is left of it. What was
# acknowledged before either is on the disk in the next box.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/../xenbox/helpers.sh"

ROUNDS=$(rounds 6 400)
export XENBOX_HOME=$SCRATCH/boxes

# A box with two guests at work: $BOX, $XENBOX, $DAEMON, $WORK, and $CLERK, whose disk and ledger stay.
truncate -s 1M "$SCRATCH/ledger.img"
begin() {
    BOX=k$$
    XENBOX=$(xenbox up --punish "$BOX" 2>>"$SCRATCH/box.log")
    export XENBOX
    : >"$SCRATCH/xensplitd.log"
    rm -rf "$SCRATCH/xensplit"
    daemon_start --workers 2
    truncate -s 0 "$SCRATCH/disk.img"
    truncate -s 8M "$SCRATCH/disk.img"
    guest_create clerk >/dev/null
    disk_attach "$DOM" params="$SCRATCH/ledger.img" >/dev/null
    xenbox run -d "$DOM" -- "$XS_BUILDDIR/tests/kill/ledger" "$VDEV" "$SCRATCH/ledger" "${1:-/nowhere}" \
        >"$SCRATCH/clerk.log" 2>&1 &
    CLERK=$!
    wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: connected"
    guest_create >/dev/null
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    xenbox run -d "$DOM" -- xenfront blk verify --quiet --size=8M "$VDEV" >"$SCRATCH/verify.log" 2>&1 &
    WORK=$!
    wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: connected"
    sleep "0.0$((RANDOM % 90 + 10))"
    kill -0 "$CLERK" 2>/dev/null || [ -n "${1:-}" ] ||
        fail "what was acknowledged before is not there: $(cat "$SCRATCH/clerk.log")"
}

end() {
    xenbox down "$BOX" >>"$SCRATCH/box.log" 2>&1
    [ ! -e "$XENBOX" ] || fail "left after xenbox down: $XENBOX"
    unset XENBOX
}

for ((round = 0; round < ROUNDS; round++)); do
    ! soaked || break
    begin
    if [ $((round % 2)) = 0 ]; then
        kill -KILL "$(box_pid hv)"
        expect_gone "$DAEMON" "$WORK" "$CLERK"
        wait "$DAEMON" || :
        wait "$WORK" || :
        wait "$CLERK" || :
        unset DAEMON
    else
        kill -KILL "$(box_pid xenstored)"
        # Its own end needs the store; all that it wrote and read before has to be right.
        until grep -q 'no difference' "$SCRATCH/verify.log" || is_gone "$WORK"; do
            wait_exit "$WORK" 0.05 || :
            [ $SECONDS -lt $((DEADLINE * (round + 2))) ] || fail "the guest is not served without a store"
        done
        ! grep -E 'differ(s|ent)|mismatch' "$SCRATCH/verify.log" || fail "wrong data"
        kill -KILL "$WORK" "$CLERK" 2>/dev/null || :
        wait "$WORK" || :
        wait "$CLERK" || :
        kill -TERM "$DAEMON"
        wait_exit "$DAEMON" || fail "the daemon does not end without a store"
        wait "$DAEMON" || fail "the daemon ended with status $?"
        unset DAEMON
        xenbox check || fail "the box is damaged"
    fi
    end
done
echo "figure: $round boxes lost the hypervisor's process or their store in turn"
cp "$SCRATCH/ledger.img" "$SCRATCH/before.img"
begin /
wait "$CLERK" || fail "what was acknowledged before is not there: $(cat "$SCRATCH/clerk.log")"
cat "$SCRATCH/clerk.log"
wait "$WORK"

say "a disk that lost what was acknowledged would be noticed"
dd if="$SCRATCH/before.img" of="$SCRATCH/ledger.img" conv=notrunc status=none
expect_fail 'expected write [0-9]+ to [0-9]+, found' \
    xenbox run -d 1 -- "$XS_BUILDDIR/tests/kill/ledger" "$VDEV" "$SCRATCH/ledger"
daemon_stop
end
