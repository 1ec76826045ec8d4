#!/bin/bash
# SPDX-License-Identifier: MIT
# What is below the daemon is killed at a random point, under load. Without its store it serves on whom it serves and
# ends in order; with the hypervisor's process everything of the box ends, and nothing is left of it.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/../xenbox/helpers.sh"

ROUNDS=$(rounds 6 400)
export XENBOX_HOME=$SCRATCH/boxes

# A box with a guest at work: $BOX, $XENBOX, $DAEMON, $WORK.
begin() {
    BOX=k$$
    XENBOX=$(xenbox up --punish "$BOX" 2>>"$SCRATCH/box.log")
    export XENBOX
    : >"$SCRATCH/xensplitd.log"
    rm -rf "$SCRATCH/xensplit"
    daemon_start --workers 2
    truncate -s 0 "$SCRATCH/disk.img"
    truncate -s 8M "$SCRATCH/disk.img"
    guest_create >/dev/null
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    xenbox run -d "$DOM" -- xenfront blk verify --quiet --size=8M "$VDEV" >"$SCRATCH/verify.log" 2>&1 &
    WORK=$!
    wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: connected"
    sleep "0.0$((RANDOM % 90 + 10))"
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
        expect_gone "$DAEMON" "$WORK"
        wait "$DAEMON" || :
        wait "$WORK" || :
        unset DAEMON
    else
        kill -KILL "$(box_pid xenstored)"
        # Its own end needs the store; all that it wrote and read before has to be right.
        until grep -q 'no difference' "$SCRATCH/verify.log" || is_gone "$WORK"; do
            wait_exit "$WORK" 0.05 || :
            [ $SECONDS -lt $((DEADLINE * (round + 2))) ] || fail "the guest is not served without a store"
        done
        ! grep -E 'differ(s|ent)|mismatch' "$SCRATCH/verify.log" || fail "wrong data"
        kill -KILL "$WORK" 2>/dev/null || :
        wait "$WORK" || :
        kill -TERM "$DAEMON"
        wait_exit "$DAEMON" || fail "the daemon does not end without a store"
        wait "$DAEMON" || fail "the daemon ended with status $?"
        unset DAEMON
        xenbox check || fail "the box is damaged"
    fi
    end
done
say "$round boxes"
