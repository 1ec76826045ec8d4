#!/bin/bash
# SPDX-License-Identifier: MIT
# A daemon that is killed, and one that leaves its guests to the next (on-exit = keep): the interface stays, with its
# index and addresses, the next daemon goes on with the same rings, and what a guest sends all the while arrives whole.
. "$(dirname "$0")/../net.sh"
need ping socat cmp

index() {
    cat "/sys/class/net/vif$DOM.0/ifindex" 2>/dev/null || ip -o link show "vif$DOM.0" | cut -d: -f1
}

vif_up
# Slowly enough that it takes longer than everything else.
in_dom0 xenstore-write "backend/vif/$DOM/0/rate" 3000000,100000
wait_log "$DAEMON_LOG" "vif $DOM/0: rate: 3000000 bytes in 100000 us"
head -c 100M /dev/urandom >"$SCRATCH/sent"
before=$(index)
socat -u TCP-LISTEN:5300,reuseaddr "CREATE:$SCRATCH/got" &
SERVER=$!
guest_ns timeout $((2 * DEADLINE)) socat -u "FILE:$SCRATCH/sent" "TCP:$HOST_IP:5300,connect-timeout=20,retry=50,interval=0.1" &
SENDER=$!
for round in 1 2 3; do
    say "killed: $round"
    daemon_kill
    ip link show "vif$DOM.0" >/dev/null || fail "the interface went with the daemon"
    daemon_start
    wait_log "$DAEMON_LOG" "vif $DOM/0: connected: adopted from an earlier daemon"
    : >"$DAEMON_LOG"
done
wait_ping
kill -0 $SENDER || fail "it was over before the last daemon came"
in_dom0 xenstore-write "backend/vif/$DOM/0/rate" 0,0
wait $SENDER
wait $SERVER
cmp "$SCRATCH/sent" "$SCRATCH/got"
[ "$(index)" = "$before" ] || fail "it is another interface"
! grep -q "backend closes" "$SCRATCH/tap.log" || fail "the guest noticed"

say "renamed, as a hotplug script does for vifname=, then killed"
ip link set "vif$DOM.0" down
ip link set "vif$DOM.0" name "xs-web$DOM"
ip link set "xs-web$DOM" up
daemon_kill
daemon_start
wait_log "$DAEMON_LOG" "vif $DOM/0: connected: adopted from an earlier daemon"
ip link show "vif$DOM.0" >/dev/null 2>&1 && fail "the next daemon made another interface"
wait_ping
ip link set "xs-web$DOM" down
ip link set "xs-web$DOM" name "vif$DOM.0"
ip link set "vif$DOM.0" up

say "left to the next daemon"
tap_stop
daemon_stop
daemon_start --on-exit keep
tap_start
host_up 1500
wait_ping
daemon_stop
ip link show "vif$DOM.0" >/dev/null || fail "the interface did not stay"
daemon_start
wait_log "$DAEMON_LOG" "vif $DOM/0: connected: adopted from an earlier daemon"
wait_ping
vif_down
wait_no_link "vif$DOM.0" "the interface outlived its device"
