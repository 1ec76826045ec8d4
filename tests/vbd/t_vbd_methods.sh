#!/bin/bash
# SPDX-License-Identifier: MIT
# Each way that data can go: chosen from the setting and from what the frontend offers, shown with its reason, right,
# and with nothing left mapped when the frontend is gone (catalogue C08, C17: the box is checked each time).
. "$(dirname "$0")/../functions.sh"

need jq
box_up --punish --limit gntalloc-pages=4096
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

say "a guest with three disks has its share of the pages, and leaves the rest to another"
xenbox detach "$DOM" vbd "$VDEV"
daemon_stop
daemon_start --workers 2 --persistent-pages 4000 --persistent-pages-guest 80
mapped() { # DOMID VDEV...: pages of these disks together
    local domid=$1 vdev
    shift
    for vdev in "$@"; do
        xensplit --run-dir "$SCRATCH/xensplit" -j why "$domid/$vdev" | jq .pages_mapped
    done | jq -s add
}
loads=()
load() { # DOMID VDEV: until it has read 100 times
    xenbox attach "$1" vbd vdev="$2" params=mem:8M >/dev/null
    xenbox run -d "$1" -- xenfront blk bench -q -p randrw -d 32 -t 600 "$2" >"$SCRATCH/load$2.log" 2>&1 &
    loads+=($!)
    wait_store "/local/domain/0/backend/vbd/$1/$2/state" 4
    until [ "$(xensplit --run-dir "$SCRATCH/xensplit" -j show "$1/$2" | jq .reads)" -gt 100 ]; do
        kill -0 ${loads[-1]} || fail "the load ended"
    done
}
modest=$(xenbox domain create modest)
for vdev in 51728 51744 51760; do
    load "$DOM" $vdev
done
[ "$(mapped "$DOM" 51728 51744 51760)" = 80 ] || fail "three disks of a guest have other than 80 pages"
xensplit --run-dir "$SCRATCH/xensplit" why "$DOM/51760" | grep 'the limit of 80 pages of one guest (setting persistent-pages-guest)'
load "$modest" 51728
[ "$(mapped "$modest" 51728)" = 32 ] || fail "another guest has $(mapped "$modest" 51728) pages"
kill -TERM "${loads[@]}"
wait "${loads[@]}" || :
for vdev in 51728 51744 51760; do
    xenbox detach "$DOM" vbd $vdev
done
xenbox domain destroy "$modest"
daemon_stop
daemon_start --workers 1
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null

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
