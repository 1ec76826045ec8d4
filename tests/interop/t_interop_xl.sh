#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's toolstack looks at a box as at any Xen: xl lists, pauses, renames and describes, lsevtchn shows the ports.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need "$XEN_BIN/xl" "$XEN_BIN/lsevtchn"

# state DOMID: the state letters that xl shows.
state() {
    in_dom0 "$XEN_BIN/xl" list "$1" | awk 'NR == 2 { print $5 }'
}

box_up
guest_create first
first=$DOM
guest_create second

in_dom0 "$XEN_BIN/xl" list | tee "$SCRATCH/list"
[ "$(awk 'NR > 1 { print $2, $1 }' "$SCRATCH/list" | tr '\n' ' ')" = "0 Domain-0 $first first $DOM second " ]
[ "$(in_dom0 "$XEN_BIN/xl" domid second)" = "$DOM" ]
[ "$(in_dom0 "$XEN_BIN/xl" domname "$first")" = first ]

in_dom0 "$XEN_BIN/xl" pause "$first"
[ "$(state "$first")" = --p--- ]
[ "$(state "$DOM")" = r----- ]
in_dom0 "$XEN_BIN/xl" unpause "$first"
[ "$(state "$first")" = r----- ]

in_dom0 "$XEN_BIN/xl" rename "$first" third
[ "$(in_guest "$first" xenstore-read name)" = third ]
in_dom0 "$XEN_BIN/xl" shutdown "$first" &
toolstack=$!
wait_store "/local/domain/$first/control/shutdown" poweroff
in_guest "$first" xenstore-write control/shutdown '' # the guest has heard it
wait "$toolstack"

in_dom0 "$XEN_BIN/xl" info >"$SCRATCH/info"
grep -E '^(xen_version|total_memory|xen_scheduler)' "$SCRATCH/info"
grep -q '^xen_extra *: .xenbox$' "$SCRATCH/info"

in_dom0 "$XEN_BIN/lsevtchn" "$first" | tee "$SCRATCH/ports"
grep -q '1: VCPU 0: Interdomain (Connected) - Remote Domain 0, Port' "$SCRATCH/ports"
in_dom0 "$XEN_BIN/lsevtchn" 0 | grep 'Virtual IRQ 3'

xenbox domain destroy "$first"
[ -z "$(in_dom0 "$XEN_BIN/xl" list | grep third)" ]
expect_fail 'invalid|does not exist|failed' xenbox run -- "$XEN_BIN/xl" list "$first"
