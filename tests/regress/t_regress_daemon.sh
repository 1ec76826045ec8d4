#!/bin/bash
# SPDX-License-Identifier: MIT
# The installed daemon, unchanged, does direct I/O on pages that it has mapped, in boxes whose kernels map as a PV domain
# 0 does. Data are right in modes pv and pv32, by a CPU's and by a device's way. With the override switched off they are
# wrong, and a verification says where; the daemon that tries it at its start finds that out and copies.
. "$(dirname "$0")/../functions.sh"

export XENBOX_HOME=$SCRATCH/boxes
image_make "$SCRATCH/disk.img" 8

# disk_up OPTION...: a guest with a disk of a daemon with these options. I/O goes the way that $XENBOX_IO says.
disk_up() {
    guest_create guest
    daemon_start --workers 1 --engine libaio --data-method map "$@"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
}
for XS_MODE in pv pv32; do
    box_up
    for way in cpu dma; do
        say "$XS_MODE, $way"
        export XENBOX_IO=$way
        disk_up
        grep -q 'I/O on mapped grants was tried and is right' "$DAEMON_LOG" || fail "it was not tried, or is not right"
        in_guest "$DOM" xenfront blk verify --quiet --size=4M "$VDEV"
        unset XENBOX_IO
        daemon_stop
        xenbox domain destroy "$DOM"
        : >"$DAEMON_LOG"
    done
    box_down
done

# What such a box is at the end is not in balance: it is not asked.
broken_up() {
    XENBOX=$(xenbox up --mode=pv --bug "$1" "broken-$1")
    export XENBOX
    defer broken_down "broken-$1"
}
broken_down() {
    [ -e "$XENBOX_HOME/$1" ] || return 0
    xenbox down "$1" >>"$SCRATCH/box.log" 2>&1
    unset XENBOX
}

while read -r bug way; do
    say "$bug, $way: wrong data"
    broken_up "$bug"
    export XENBOX_IO=$way
    disk_up --mapped-io on
    expect_fail 'difference at byte [0-9]+' xenbox run -d "$DOM" -- xenfront blk verify --size=4M "$VDEV"
    daemon_stop
    xenbox domain destroy "$DOM"
    : >"$DAEMON_LOG"

    say "$bug, $way: found out at the start"
    disk_up
    grep -q 'warning: I/O on mapped grants is not used here, data is copied' "$DAEMON_LOG" || fail "it was not found out"
    in_guest "$DOM" xenfront blk verify --quiet --size=4M "$VDEV"
    unset XENBOX_IO
    daemon_stop
    : >"$DAEMON_LOG"
    broken_down "broken-$bug"
done <<'END'
H07 cpu
A13 dma
A12 cpu
END
