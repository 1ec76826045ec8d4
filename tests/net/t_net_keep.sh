#!/bin/bash
# SPDX-License-Identifier: MIT
# How long an interface lives: errors leave it as it is, with its addresses, as long as its device is attached; it goes
# with the device, also when the daemon was killed and never sees the device again; and nothing that is not ours goes.
. "$(dirname "$0")/../net.sh"

index() {
    ip -o link show "$1" | cut -d: -f1
}

is_there() {
    ip link show "$1" >/dev/null 2>&1
}

# Nothing is left in the run directory of a device that is gone; its records go after its interface.
no_records() {
    local i
    for ((i = 0; i < 50 * DEADLINE; i++)); do
        [ -n "$(ls "$SCRATCH/xensplit/inflight")" ] || return 0
        read -r -t 0.02 <> <(:) || :
    done
    fail "left behind: $(ls "$SCRATCH/xensplit/inflight")"
}

# fails DEVID: the guest writes what cannot be connected to; the device closes with an error.
fails() {
    local device=device/vif/$1
    wait_store "/local/domain/0/backend/vif/$DOM/$1/state" 2
    in_guest "$DOM" xenstore-write "$device/request-rx-copy" nonsense "$device/state" 4
    wait_store "/local/domain/0/backend/vif/$DOM/$1/state" 5
    wait_log "$DAEMON_LOG" "error: vif $DOM/$1: .*request-rx-copy: expected 1: .*, found nonsense"
    in_guest "$DOM" xenstore-write "$device/state" 6
    wait_store "/local/domain/0/backend/vif/$DOM/$1/state" 6
    in_guest "$DOM" xenstore-rm "$device/request-rx-copy"
    in_guest "$DOM" xenstore-write "$device/state" 1
    wait_store "/local/domain/0/backend/vif/$DOM/$1/state" 2
}

box_up
daemon_start
guest_net_start
guest_create

say "errors"
vif_attach
xenbox attach "$DOM" vif devid=1 port=tap:mine9 >/dev/null
host_up 1500
ip addr add 198.51.100.1/32 dev mine9
before="$(index "vif$DOM.0") $(index mine9)"
fails 0
fails 1
[ "$(index "vif$DOM.0") $(index mine9)" = "$before" ] || fail "they are other interfaces"
ip addr show dev mine9 | grep -q 198.51.100.1 || fail "the address went"
tap_start
wait_ping # over the addresses that it has had all the while

say "what cannot be set up again"
tap_stop
in_dom0 xenstore-write "backend/vif/$DOM/0/mtu" 4 "backend/vif/$DOM/0/state" 1
wait_log "$DAEMON_LOG" "error: vif $DOM/0: .*mtu: expected an MTU"
[ "$(index "vif$DOM.0") $(index mine9)" = "$before" ] || fail "an error took the interface away"
xenbox detach --force "$DOM" vif 0 >/dev/null
xenbox detach "$DOM" vif 1 >/dev/null
wait_no_link "vif$DOM.0" "an interface outlived its device"
wait_no_link mine9 "an interface of another name outlived its device"
no_records

say "a daemon that was killed, and a guest that died meanwhile"
vif_attach
xenbox attach "$DOM" vif devid=1 port=tap:mine9 >/dev/null
ip tuntap add foreign9 mode tap
xenbox attach "$DOM" vif devid=2 port=tap:foreign9 >/dev/null
xenbox attach "$DOM" vif devid=3 port=tap:other9 >/dev/null
guest=$DOM
guest_create survivor
xenbox attach "$DOM" vif devid=0 >/dev/null
survivor=$DOM
DOM=$guest
tap_start
daemon_kill
kill_wait "$TAP" KILL
ip link del other9
ip tuntap add other9 mode tap # somebody else's, by now
xenbox domain destroy "$DOM" >/dev/null
in_dom0 xenstore-rm "backend/vif/$DOM" 2>/dev/null || :
is_there "vif$DOM.0" && is_there mine9 || fail "they did not outlive their daemon"
daemon_start
wait_log "$DAEMON_LOG" "vif $DOM/0: gone: interface vif$DOM.0 removed"
wait_no_link "vif$DOM.0" "the interface of the guest that died stays"
wait_no_link mine9 "the interface with a name of its own stays"
is_there foreign9 || fail "an interface that was there before went"
is_there other9 || fail "somebody else's interface went"
is_there "vif$survivor.0" || fail "the interface of a guest that lives went"
ls "$SCRATCH/xensplit/inflight" | grep -q "^vif-$DOM-" && fail "records stay"
DOM=$survivor
xenbox detach "$DOM" vif 0 >/dev/null

say "the same, where the toolstack cleans up after the next daemon has come"
vif_attach
tap_start
daemon_kill
kill_wait "$TAP" KILL
in_guest "$DOM" xenstore-write device/vif/0/state 6
daemon_start
is_there "vif$DOM.0" || fail "the interface of an attached device went"
xenbox detach --force "$DOM" vif 0 >/dev/null
wait_no_link "vif$DOM.0" "the interface stays"
no_records
