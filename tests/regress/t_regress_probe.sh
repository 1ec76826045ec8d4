#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon tries at its start whether I/O on mapped pages is right: of each bug switch that the rows about such I/O
# know, either it says so, in one line, and copies, or the switch is one that a single request at rest cannot meet. A
# switch that is in neither list turns this test red.
. "$(dirname "$0")/../functions.sh"

need jq
export XENBOX_HOME=$SCRATCH/boxes
image_make "$SCRATCH/disk.img" 4

# BUG, MODES, WAYS: found out. A way is how the kernel moves the data: a CPU by the kernel alias, a device by the p2m.
cases=(
    "A08 pv,pv32 cpu,dma" "A12 pv,pv32 cpu,dma" "A13 pv,pv32 dma" "A17 pv,pv32 cpu,dma"
    "H06 autotranslated,pv,pv32 cpu,dma" "H07 pv cpu" "H14 pv,pv32 cpu,dma"
)
# What these do is only seen by a second mapping of a page (A10), by two requests at a time on one (A05), in the moment of
# the map (A16), and when a mapping goes under its I/O (the others): copying or not, the daemon never unmaps under I/O.
# So its data are right with them, which is tried, too.
others="A05 A10 A16 H01 H03 H04 H05 H08 H09 H15"

probe_is_right="I/O on mapped grants was tried and is right here"
probe_is_wrong="warning: I/O on mapped grants is not used here, data is copied: "

# kernel_up MODE [OPTION...]: a box that is not asked whether it is in balance: it may be broken on purpose.
kernel_up() {
    XENBOX=$(xenbox up --mode="$1" "${@:2}" "kernel-$1" 2>>"$SCRATCH/box.log")
    export XENBOX
    defer kernel_down "kernel-$1"
}
kernel_down() {
    [ -e "$XENBOX_HOME/$1" ] || return 0
    xenbox down "$1" >>"$SCRATCH/box.log" 2>&1
    unset XENBOX
}
# The lines about the try; there is one.
probe_line() {
    grep 'I/O on mapped grants' "$DAEMON_LOG" >"$SCRATCH/lines" || fail "nothing was tried"
    [ "$(wc -l <"$SCRATCH/lines")" = 1 ] || fail "more than one line: $(cat "$SCRATCH/lines")"
    cat "$SCRATCH/lines"
}
daemon_up() {
    : >"$SCRATCH/xensplitd.log"
    XENBOX_IO=$1 daemon_start --workers 1 --engine libaio --data-method map
}

listed=$(printf '%s\n' "${cases[@]%% *}" $others | sort -u)
known=$(LD_LIBRARY_PATH="$XENBOX_LIBDIR:$LD_LIBRARY_PATH" "$XS_BUILDDIR/tests/regress/regress" --list |
    awk '$3 ~ /aio/ { print $1 }' | sort -u)
[ "$listed" = "$known" ] || fail "switches about I/O that are in no list, or in no row: $(diff <(echo "$listed") <(echo "$known"))"

for mode in autotranslated pv pv32; do
    kernel_up "$mode"
    for way in cpu dma; do
        daemon_up "$way"
        [[ $(probe_line) == *"$probe_is_right"* ]] || fail "$mode, $way: $(probe_line)"
        daemon_stop
    done
    kernel_down "kernel-$mode"
done

# find_out BUG MODE WAY
find_out() {
    daemon_up "$3"
    [[ $(probe_line) == *"$probe_is_wrong"?* ]] || fail "$1 in $2, $3: $(probe_line)"
    say "$1, $2, $3: $(probe_line | sed 's/.*data is copied: //')"
    daemon_stop
}
for case in "${cases[@]}"; do
    read -r bug modes ways <<<"$case"
    for mode in ${modes//,/ }; do
        kernel_up "$mode" --bug "$bug"
        for way in ${ways//,/ }; do
            find_out "$bug" "$mode" "$way"
        done
        kernel_down "kernel-$mode"
    done
done

for bug in $others; do
    for mode in pv pv32; do
        kernel_up "$mode" --bug "$bug"
        daemon_up cpu
        [[ $(probe_line) == *"$probe_is_right"* ]] || fail "$bug in $mode: $(probe_line)"
        DOM=$(xenbox domain create)
        disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
        in_guest "$DOM" xenfront blk verify --quiet --size=2M "$VDEV" >>"$SCRATCH/verify.log" 2>&1 ||
            fail "$bug in $mode: $(tail -n 3 "$SCRATCH/verify.log")"
        daemon_stop
        kernel_down "kernel-$mode"
    done
    say "$bug: right data"
done
