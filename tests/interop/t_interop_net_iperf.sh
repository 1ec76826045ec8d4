#!/bin/bash
# SPDX-License-Identifier: MIT
# iperf3 through the pair: TCP and UDP, IPv4 and IPv6, both ways, with and without offloads, MTU 1500 and 9000: all of
# it arrives, and the ends counted no malformed packet.
. "$(dirname "$0")/../net.sh"
need iperf3 jq

# iperf WHAT OPTION...: the guest is the client; what arrived must be what was asked for, TCP: all.
iperf() {
    local what=$1 address=$HOST_IP arrived server
    shift
    [[ " $* " != *" -6 "* ]] || address=$HOST_IP6
    rm -f "$SCRATCH/server.log"
    iperf3 -s -1 --forceflush >"$SCRATCH/server.log" 2>&1 &
    server=$!
    wait_log "$SCRATCH/server.log" "listening" "$server"
    guest_ns timeout "$DEADLINE" iperf3 -c "$address" -J "$@" >"$SCRATCH/iperf.json" ||
        fail "$what: $(jq -r .error "$SCRATCH/iperf.json")"
    wait "$server" || fail "$what: $(cat "$SCRATCH/server.log")"
    arrived=$(jq '(.end.sum_received // .end.sum).bytes' "$SCRATCH/iperf.json")
    say "$what: $arrived bytes, $(jq '(.end.sum_received // .end.sum).bits_per_second / 1e6 | floor' \
        "$SCRATCH/iperf.json") Mb/s"
    [ "${arrived%.*}" -ge 1000000 ] || fail "$what: only $arrived bytes arrived"
}

# all_kinds WHAT
all_kinds() {
    iperf "$1, TCP, IPv4, to the host" -n 16M
    iperf "$1, TCP, IPv4, to the guest" -n 16M -R
    iperf "$1, TCP, IPv6, to the host" -6 -n 16M
    iperf "$1, TCP, IPv6, to the guest" -6 -n 16M -R
    iperf "$1, UDP, IPv4, to the host" -u -b 100M -n 4M
    iperf "$1, UDP, IPv6, to the guest" -6 -u -b 100M -n 4M -R
}

box_up
daemon_start
guest_net_start
guest_create
for mtu in 1500 9000; do
    vif_attach mtu=$mtu
    for options in "" "--no-gso" "--no-csum --one-channel"; do
        # shellcheck disable=SC2086 # words on purpose
        tap_start --json $options
        host_up $mtu
        wait_ping
        all_kinds "MTU $mtu ${options:-with all offloads}"
        tap_stop
        jq -s -e 'last | .errors == 0 and .tx_bytes > 20000000 and .rx_bytes > 20000000' "$SCRATCH/tap.log" >/dev/null ||
            fail "xenfront net tap counted $(tail -n 12 "$SCRATCH/tap.log")"
    done
    xenbox detach "$DOM" vif 0
done
