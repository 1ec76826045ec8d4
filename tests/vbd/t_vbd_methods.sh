#!/bin/bash
# SPDX-License-Identifier: MIT
# Each way that data can go: chosen from the setting and from what the frontend offers, shown with its reason, right,
# and with nothing left mapped when the frontend is gone (catalogue C08, C17: the box is checked each time).
. "$(dirname "$0")/../functions.sh"

need jq
box_up
guest_create guest
why() {
    xensplit --run-dir "$SCRATCH/xensplit" -j why "$DOM/$VDEV" | jq -r ".$1"
}

# How many live mappings the box has.
maps() {
    xenbox check | grep -o '[0-9]* maps'
}

# connected OPTION... -- COMMAND...: runs the command while a frontend with these options does I/O.
connected() {
    local options=() load idle
    idle=$(maps)
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    xenbox run -d "$DOM" -- xenfront blk bench -q -p randrw -d 32 -t 600 "${options[@]}" "$VDEV" >"$SCRATCH/load.log" 2>&1 &
    load=$!
    wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
    until [ "$(xensplit --run-dir "$SCRATCH/xensplit" -j show "$DOM/$VDEV" | jq .reads)" -gt 100 ]; do
        kill -0 "$load" || fail "the load ended"
    done
    "$@"
    kill -TERM "$load"
    wait "$load" || :
    wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 6
    [ "$(maps)" = "$idle" ] || fail "$(maps) maps are left, $idle were there before"
}

expect() { # METHOD REASON MAPPED
    [ "$(why data_method)" = "$1" ] || fail "the method is $(why data_method), expected $1"
    [[ "$(why data_method_reason)" =~ $2 ]] || fail "the reason is $(why data_method_reason), expected $2"
    [ "$(why 'pages_mapped > 0')" = "$3" ] || fail "$(why pages_mapped) pages are mapped"
}

for setting in auto copy persistent map; do
    say "data-method $setting"
    truncate -s 16M "$SCRATCH/disk.img"
    daemon_start --workers 1 --data-method "$setting"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    case $setting in
    auto | persistent)
        connected -- expect persistent '^both ends offer' true
        connected --no-persistent -- expect copy 'frontend does not offer' false
        ;;
    *)
        connected -- expect "$setting" "^data-method = $setting" false
        ;;
    esac
    in_guest "$DOM" xenfront blk verify --quiet --size=8M "$VDEV"
    in_guest "$DOM" xenfront blk bench --quiet --pattern randrw --direct --count 500 "$VDEV"
    xenbox detach "$DOM" vbd "$VDEV"
    daemon_stop
done

say "a budget of 3 pages"
daemon_start --workers 1 --persistent-pages 3
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
refused() {
    expect persistent '^both ends offer' true
    [ "$(why pages_mapped)" = 3 ] || fail "$(why pages_mapped) pages are mapped"
    [[ "$(why mapping_refusal)" =~ persistent-pages ]] || fail "the refusal is $(why mapping_refusal)"
}
connected -- refused
in_guest "$DOM" xenfront blk verify --quiet --size=8M "$VDEV"
[ "$(grep -c 'no more pages are kept mapped' "$DAEMON_LOG")" = 2 ] || fail "the refusal is not logged once a connection"

say "killed with pages mapped, and restarted with another method"
xenbox detach "$DOM" vbd "$VDEV"
truncate -s 64M "$SCRATCH/disk.img"
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
in_guest "$DOM" xenfront blk verify --quiet --size=64M "$VDEV" &
verify=$!
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
daemon_kill
daemon_start --workers 1 --data-method copy
wait "$verify" || fail "verify"
xenbox detach "$DOM" vbd "$VDEV"
