#!/bin/bash
# SPDX-License-Identifier: MIT
# The life of a network device: connected a hundred times, its frontend killed, closed and detached under traffic:
# whoever comes next connects and has a network, and nothing is left in the box (catalogue E09, E23). A daemon that is
# killed under traffic is succeeded by one that takes the rings over.
. "$(dirname "$0")/../net.sh"
need ping setpriv

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

say "what cannot be joined: the error names it"
# tap_fails REGEX NAME [COMMAND...]: the command runs xenfront.
tap_fails() {
    local words=$1 name=$2
    shift 2
    expect_fail "TAP device $name: $words" nsenter -t "$GUEST_NS" -n -- "$@" xenbox run -d "$DOM" -- \
        xenfront net tap --tap="$name" 0
}
guest_ns ip link add dummy9 type dummy 2>/dev/null || guest_ns ip link add dummy9 type veth peer name dummy8
tap_fails "a name of 1 to 15 characters expected" sixteen-letters-
tap_fails "cannot make it: Invalid argument: it must be free, or a TAP device with one queue" dummy9
tap_fails "cannot make it: Operation not permitted: this needs root, or CAP_NET_ADMIN" free9 \
    setpriv --bounding-set=-net_admin --inh-caps=-net_admin
# The daemon has it, in the host's namespace.
expect_fail "TAP device vif$DOM.0: cannot make it: Device or resource busy: the name is in use" \
    xenbox run -d "$DOM" -- xenfront net tap --tap="vif$DOM.0" 0

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

vif_attach
tap_start
host_up 1500
for ((round = 0; round < 3; round++)); do
    say "the daemon is killed under traffic, $((round + 1)): the guest keeps its device, and has a network again"
    wait_ping
    traffic_start
    guest_ns ping -n -q -f -c $((round * 100 + 50)) -s 3000 "$HOST_IP" >/dev/null
    daemon_kill
    traffic_stop
    daemon_start
    kill -0 "$TAP" || fail "xenfront net tap ended: $(cat "$SCRATCH/tap.log")"
    host_up 1500
done
wait_ping
# A network may lose a datagram (the kernel, its reassembly, a queue on a busy machine), but not one of each fifty.
for ((try = 0; try < 3; try++)); do
    guest_ns ping -n -q -c 50 -i 0.01 -W 5 -s 3000 "$HOST_IP" >"$SCRATCH/ping.log"
    ! grep -q ' 0% packet loss' "$SCRATCH/ping.log" || break
done
[ "$try" -lt 3 ] || fail "packets are lost: $(cat "$SCRATCH/ping.log")"
vif_down
