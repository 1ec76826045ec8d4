#!/bin/bash
# SPDX-License-Identifier: MIT
# An upgrade or a downgrade under running guests: the records of what is in flight are of a version that the new daemon
# cannot read. A disk of which nothing was in flight is taken over all the same; another one closes, with an error that
# names it, and is not left hanging.
. "$(dirname "$0")/../functions.sh"

records() { # DOMID
    echo "$SCRATCH/xensplit/inflight/vbd-$1-$VDEV-q0"
}
# become_version N FILE: as if another version had written it.
become_version() {
    local bytes
    printf -v bytes '\\x%02x\\x00\\x00\\x00' "$1"
    printf '%b' "$bytes" | dd of="$2" bs=1 seek=8 conv=notrunc status=none
    truncate -s 4096 "$2"
}
# killed_in_flight DOMID: the daemon dies with requests of that guest in flight.
killed_in_flight() {
    until xensplit --run-dir "$SCRATCH/xensplit" -j show "$1/$VDEV" | grep -q '"in_flight": *[1-9]'; do
        kill -0 "$BENCH" || fail "the load ended"
    done
    daemon_kill
}
reason() { # DOMID
    in_dom0 xenstore-read "error/backend/vbd/$1/$VDEV/error"
}

box_up --punish
truncate -s 16M "$SCRATCH/calm.img" "$SCRATCH/busy.img"
daemon_start --workers 1 --on-exit keep --engine-faults slow=200000
guest_create calm
CALM=$DOM
disk_attach "$CALM" params="$SCRATCH/calm.img" >/dev/null
guest_create busy
BUSY=$DOM
disk_attach "$BUSY" params="$SCRATCH/busy.img" >/dev/null

say "a guest that writes now and then, and one that always does"
image_make "$SCRATCH/data" 4
mkfifo "$SCRATCH/feed"
exec 8<>"$SCRATCH/feed"
xenbox run -d "$CALM" -- xenfront blk write -q --in="$SCRATCH/feed" "$VDEV" >"$SCRATCH/write.log" 2>&1 8>&- &
WRITE=$!
head -c 2M "$SCRATCH/data" >&8
xenbox run -d "$BUSY" -- xenfront blk bench -q -p randwrite -d 4 -t 600 "$VDEV" >"$SCRATCH/bench.log" 2>&1 8>&- &
BENCH=$!
wait_store "/local/domain/0/backend/vbd/$BUSY/$VDEV/state" 4
until xensplit --run-dir "$SCRATCH/xensplit" -j show "$CALM/$VDEV" | grep -q '"in_flight": *0' &&
    cmp -s -n 1048576 "$SCRATCH/data" "$SCRATCH/calm.img"; do # it may hold the rest back until more comes
    kill -0 $WRITE || fail "the calm guest ended"
done

say "told to end, and followed by another version: both go on"
daemon_stop
become_version 1 "$(records "$CALM")"
become_version 1 "$(records "$BUSY")"
: >"$DAEMON_LOG"
daemon_start --workers 1 --on-exit keep --engine-faults slow=200000 8>&-
wait_log "$DAEMON_LOG" "vbd $CALM/$VDEV: connected: adopted"
wait_log "$DAEMON_LOG" "vbd $BUSY/$VDEV: connected: adopted"

say "killed under load: what is in flight cannot be read, and that disk closes"
killed_in_flight "$BUSY"
become_version 77 "$(records "$CALM")"
become_version 77 "$(records "$BUSY")"
: >"$DAEMON_LOG"
daemon_start --workers 1 8>&-
wait_log "$DAEMON_LOG" "vbd $CALM/$VDEV: connected: adopted"
wait_log "$DAEMON_LOG" "vbd $BUSY/$VDEV: in-flight records .*: expected version [0-9]+, found version 77 with [0-9]+ requests in flight"
reason "$BUSY" | grep 'found version 77 with [0-9]* requests in flight, which only the xensplitd that wrote them could finish$'
wait_store "/local/domain/0/backend/vbd/$BUSY/$VDEV/state" '[56]'
! wait "$BENCH" || fail "a guest whose disk has closed did not notice"
tail -c 2M "$SCRATCH/data" >&8
exec 8>&-
wait $WRITE || fail "the calm guest noticed"
cmp -n 4194304 "$SCRATCH/data" "$SCRATCH/calm.img"

say "it can be detached twice, and the next guest of the image finds nothing of it"
xenbox detach "$BUSY" vbd "$VDEV"
expect_fail '' xenbox detach "$BUSY" vbd "$VDEV"
[ ! -e "$(records "$BUSY")" ] || fail "the records stay"
disk_attach "$BUSY" params="$SCRATCH/busy.img" >/dev/null
in_guest "$BUSY" xenfront blk verify -q --size=1M "$VDEV"
