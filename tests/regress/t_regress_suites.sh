#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon's own suites, unchanged, in domains 0 of mode pv and pv32: the recorded workload through every method and
# engine, and the kill suite with each way to move data and direct I/O on mapped pages. Random deaths come with each of
# them, the others in turn; in a soak, all with each.
# limit: 1800
. "$(dirname "$0")/../functions.sh"

need jq
# suite TEST: it cleans up after itself and looks whether something is left, as always.
suite() {
    local status=0 began=$SECONDS
    XS_MODE=$mode XS_DAEMON_OPTIONS=${options:-} bash "$XS_SRCDIR/tests/$1" >"$SCRATCH/suite.log" 2>&1 || status=$?
    [ $status != 77 ] || skip "$(sed -n 's/^SKIP: //p' "$SCRATCH/suite.log")"
    [ $status = 0 ] || fail "$1 in mode $mode${options:+ with $options}"
    say "$mode${method:+, $method}: $1, $((SECONDS - began)) s"
}

declare -A suites=([copy]="version random" [persistent]="handover random" [map]="adopt random")
[ -z "${XS_SOAK:-}" ] || suites=([copy]="adopt handover version random" [persistent]="adopt handover version random"
    [map]="adopt handover version random")
for mode in pv pv32; do
    unset method options ROUNDS
    suite vbd/t_vbd_replay.sh
    for method in copy persistent map; do
        options="--engine libaio --mapped-io on --data-method $method"
        export ROUNDS # of what is random
        ROUNDS=$(rounds 15 100)
        for name in ${suites[$method]}; do
            suite "kill/t_kill_$name.sh"
        done
    done
done
