#!/bin/bash
# SPDX-License-Identifier: MIT
# Domains come and go, with programs that are connected to the store: afterwards the store, the proxy and the
# hypervisor process hold as many descriptors and mappings as before, and the store as many nodes. The library of
# event channels keeps descriptors of a few handles that are gone, until it needs the room.
. "$(dirname "$0")/../functions.sh"
need jq

LOAD=$XS_BUILDDIR/tests/xenstore/xs_load
DOMAINS=18
KEPT=16 # descriptors that the library may keep

# What the parts of the box hold: mappings of xenstored and descriptors of each.
holdings() {
    local part
    echo "xenstored $(wc -l <"/proc/$(jq .pids.xenstored "$XENBOX/box.json")/maps") mappings"
    for part in hv xenbus; do
        echo "$part $(descriptors $part) descriptors"
    done
}
descriptors() {
    ls "/proc/$(jq ".pids.$1" "$XENBOX/box.json")/fd" | wc -l
}

churn() {
    local domains=() clients=() number
    for number in $(seq $DOMAINS); do
        guest_create "churn$number" >/dev/null
        domains+=("$DOM")
        env XENSTORED_PATH="$XENBOX/store/$DOM" "$LOAD" wait >"$SCRATCH/client.$DOM.log" &
        clients+=($!)
        env XENSTORED_PATH="$XENBOX/store/$DOM" "$LOAD" hold data >"$SCRATCH/holder.$DOM.log" &
        clients+=($!)
        wait_log "$SCRATCH/client.$DOM.log" connected
        wait_log "$SCRATCH/holder.$DOM.log" holding
    done
    for number in $(printf '%s\n' "${domains[@]}" | shuf); do
        xenbox domain destroy "$number"
    done
    for number in "${clients[@]}"; do
        # who waits for the end sees it; who sleeps over an open transaction is killed here
        kill -KILL "$number" 2>/dev/null || :
        wait "$number" 2>/dev/null || :
    done
    rm "$SCRATCH"/client.*.log "$SCRATCH"/holder.*.log
}

box_up
churn # the first round fills caches
holdings >"$SCRATCH/before"
store_before=$(descriptors xenstored)
in_dom0 xenstore-ls -f >"$SCRATCH/nodes.before"
churn
in_dom0 xenstore-ls -f >"$SCRATCH/nodes.after"
holdings >"$SCRATCH/after"
diff -u "$SCRATCH/before" "$SCRATCH/after"
store_after=$(descriptors xenstored)
[ "$store_after" -le $((store_before + KEPT)) ] || fail "xenstored had $store_before descriptors, has $store_after"
diff -u "$SCRATCH/nodes.before" "$SCRATCH/nodes.after"
[ -z "$(ls "$XENBOX/store" | grep -v '^socket$')" ]
