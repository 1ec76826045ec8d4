#!/bin/bash
# SPDX-License-Identifier: MIT
# Devices with which nothing happens take no processor time: no thread of the daemon runs, however many there
# are, connected or not; and they take little memory. (make bench-devices does it with a thousand.)
. "$(dirname "$0")/../functions.sh"

DEVICES=40
box_up --limit gntalloc-pages=4096
daemon_start --workers 2
guest_create

# What all of its threads have run, in nanoseconds: one that is woken runs, and one that never sleeps does, too.
run_ns() {
    cat "/proc/$DAEMON/task/"*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'
}
# at_rest WHAT: what was begun is over some time: then nothing moves for two seconds.
at_rest() {
    local before
    for _ in {1..10}; do
        before=$(run_ns)
        sleep 2
        [ "$before" != "$(run_ns)" ] || return 0
    done
    fail "$1: the daemon runs on: $(($(run_ns) - before)) ns in two seconds"
}
memory_kib() {
    awk '/^Private_Dirty:/ { print $2 }' "/proc/$DAEMON/smaps_rollup"
}

disks=()
for ((i = 0; i < DEVICES; i++)); do
    disks+=($((268435456 + 256 * i)))
    xenbox attach "$DOM" vbd vdev="${disks[i]}" params=mem:1M >/dev/null
done
at_rest "$DEVICES devices without a frontend"

mkfifo "$SCRATCH/stay"
xenbox run -d "$DOM" -- "$XS_BUILDDIR/tests/daemon/idle" "${disks[@]}" <"$SCRATCH/stay" >"$SCRATCH/connect.us" &
idle=$!
exec 8>"$SCRATCH/stay"
wait_log "$SCRATCH/connect.us" '[0-9]' $idle
at_rest "$DEVICES connected devices"
say "$(cat "$SCRATCH/connect.us") us a connect and a read; $(memory_kib) KiB"
exec 8>&-
wait $idle
