#!/bin/bash
# SPDX-License-Identifier: MIT
# The life of a network device: connected a hundred times, its frontend or the daemon killed under traffic, detached
# under traffic: whoever comes next connects and has a network, and nothing is left in the box (catalogue E09, E23).
# limit: 150
. "$(dirname "$0")/../net.sh"
need ping

# Traffic of full packets both ways until traffic_stop, without caring for what becomes of it.
traffic_start() {
    ping -n -q -f -s 8000 "$GUEST_IP" >/dev/null 2>&1 &
    TRAFFIC=$!
}
traffic_stop() {
    kill_wait "$TRAFFIC"
}
# What the box holds, as far as guest and daemon made it.
balance() {
    xenbox dump --json | grep -c -E '"(ref|port)":' || :
}
# balanced COUNT: until the box holds no more than that: it takes back what a dead process had a moment later.
balanced() {
    local i
    for ((i = 0; i < 50 * DEADLINE; i++)); do
        [ "$(balance)" != "$1" ] || return 0
    done
    fail "the box holds $(balance) grants and ports, expected $1"
}

vif_up 1500
tap_stop
before=$(balance)

say "a hundred connections"
for ((i = 0; i < 100; i++)); do
    in_guest "$DOM" xenfront net info --json 0 >"$SCRATCH/info.json" || fail "connection $i"
done
balanced "$before"

for ((round = 0; round < 5; round++)); do
    say "killed under traffic, $((round + 1))"
    tap_start 
    wait_ping
    traffic_start
    guest_ns ping -n -q -f -c $((round * 300 + 50)) -s 3000 "$HOST_IP" >/dev/null
    kill_wait "$TAP" KILL
    traffic_stop
done

say "closed under traffic"
tap_start 
wait_ping
traffic_start
guest_ns ping -n -q -f -c 200 -s 3000 "$HOST_IP" >/dev/null
tap_stop
traffic_stop
balanced "$before"

say "detached under traffic"
tap_start 
wait_ping
traffic_start
guest_ns ping -n -q -f -c 200 -s 3000 "$HOST_IP" >/dev/null
xenbox detach "$DOM" vif 0
wait_exit "$TAP"
status=0
wait "$TAP" || status=$?
[ $status = 1 ] || fail "xenfront net tap ended with $status, expected 1"
grep -q "the backend closes the device\|the device was removed" "$SCRATCH/tap.log" ||
    fail "said: $(cat "$SCRATCH/tap.log")"
traffic_stop

say "the daemon is killed under traffic"
vif_attach
tap_start 
host_up 1500
wait_ping
traffic_start
guest_ns ping -n -q -f -c 200 -s 3000 "$HOST_IP" >/dev/null
daemon_kill
traffic_stop
daemon_start
if kill -0 "$TAP" 2>/dev/null; then
    kill_wait "$TAP" KILL
fi
tap_start 
host_up 1500
wait_ping
vif_down
