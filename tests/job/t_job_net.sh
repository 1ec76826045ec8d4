#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job of a network device: a guest's namespace and the host's reach each other through the rings, by kernel
# and without one; what the commands report is so; wrong arguments are told apart.
. "$(dirname "$0")/../net.sh"
need ping

vif_up

say "ping, IPv4 and IPv6, small and large"
for address in $HOST_IP $HOST_IP6; do
    guest_ns ping -n -q -c 3 -i 0.05 -W 5 $address
    guest_ns ping -n -q -c 2 -i 0.05 -W 5 -s 20000 $address
done
ping -n -q -c 3 -i 0.05 -W 5 $GUEST_IP
guest_ns ip link show eth0 | grep -q "$MAC" || fail "the guest's TAP device has another address"
guest_ns ip link show eth0 | grep -q 'mtu 1500' || fail "the guest's TAP device has another MTU"

say "a second program is refused"
expect_fail "in use by process" xenbox run -d "$DOM" -- xenfront net info 0
tap_stop
guest_ns ip link show eth0 2>/dev/null && fail "the TAP device stayed"

say "info"
in_guest "$DOM" xenfront net info --json 0 >"$SCRATCH/info.json"
jq -e ".mac == \"$MAC\" and .mtu == 1500 and .sg and .gso_tcpv4 and .gso_tcpv6 and .csum_ipv4 and .csum_ipv6" \
    "$SCRATCH/info.json" >/dev/null || fail "info says $(cat "$SCRATCH/info.json")"
in_guest "$DOM" xenfront net info --no-sg --one-channel --json >"$SCRATCH/info.json"
jq -e '(.sg or .gso_tcpv4 or .split_channels) | not' "$SCRATCH/info.json" >/dev/null ||
    fail "info says $(cat "$SCRATCH/info.json")"

say "ping without a kernel, IPv4 and IPv6"
for pair in "$GUEST_IP $HOST_IP" "$GUEST_IP6 $HOST_IP6"; do
    read -r from to <<<"$pair"
    in_guest "$DOM" xenfront net ping --from="$from" --to="$to" --count=5 --interval=20 --size=1000 --json \
        >"$SCRATCH/ping.json"
    jq -e '.sent == 5 and .received == 5' "$SCRATCH/ping.json" >/dev/null ||
        fail "ping says $(cat "$SCRATCH/ping.json")"
done
expect_fail "nobody says that he is 192.0.2.77" \
    xenbox run -d "$DOM" -- xenfront net ping --from=$GUEST_IP --to=192.0.2.77 --timeout=2

say "dump: the host asks for somebody, the guest sees it"
in_guest "$DOM" xenfront net dump --count=2 --out="$SCRATCH/asked.pcap" 2>"$SCRATCH/dump.log" &
dump=$!
wait_log "$SCRATCH/dump.log" "listening" "$dump"
ping -n -q -c 1 -W 1 192.0.2.9 >/dev/null || :
ping -n -q -c 1 -W 1 192.0.2.8 >/dev/null || :
wait "$dump"
[ "$(stat -c %s "$SCRATCH/asked.pcap")" -gt 100 ] || fail "the file is short"

say "wrong arguments"
expect_fail "no such device" xenbox run -d "$DOM" -- xenfront net info 7
expect_fail "a number like 0 expected, found 'eth0'" xenbox run -d "$DOM" -- xenfront net info eth0
expect_fail "two IP addresses of one kind" xenbox run -d "$DOM" -- xenfront net ping --from=1.2.3.4 --to=::1
expect_fail "a size from 14" xenbox run -d "$DOM" -- xenfront net bench --size=4
expect_fail "a name of 1 to 15 characters" xenbox run -d "$DOM" -- xenfront net tap --tap=more-than-15-characters
expect_fail "CAP_NET_ADMIN, in this network namespace" nsenter -t "$GUEST_NS" -n setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
    xenbox run -d "$DOM" -- xenfront net tap --tap=eth0
expect_fail "an MTU of at most 4078 expected" xenbox run -d "$DOM" -- xenfront net tap --no-sg --mtu=9000
xenbox detach "$DOM" vif 0
