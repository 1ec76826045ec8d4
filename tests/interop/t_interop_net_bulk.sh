#!/bin/bash
# SPDX-License-Identifier: MIT
# socat carries a file both ways, compared; tshark finds no malformed frame and no bad checksum in what it saw on the
# host's end, nor in what `xensplit capture` and `xenfront net dump` wrote.
. "$(dirname "$0")/../net.sh"
need socat tshark ping

BYTES=24M

# bulk WHAT: a file from the guest to the host, and another one back.
bulk() {
    local server
    socat -u TCP-LISTEN:50001,reuseaddr OPEN:"$SCRATCH/arrived",creat,trunc &
    server=$!
    guest_ns socat -u OPEN:"$SCRATCH/file" TCP:"$HOST_IP":50001,retry=100,interval=0.05
    wait "$server"
    cmp "$SCRATCH/file" "$SCRATCH/arrived" || fail "$1, to the host: the file differs"
    nsenter -t "$GUEST_NS" -n -- socat -u "TCP6-LISTEN:50002,reuseaddr" OPEN:"$SCRATCH/arrived",creat,trunc &
    server=$!
    socat -u OPEN:"$SCRATCH/file" "TCP6:[$GUEST_IP6]:50002,retry=100,interval=0.05"
    wait "$server"
    cmp "$SCRATCH/file" "$SCRATCH/arrived" || fail "$1, to the guest: the file differs"
    say "$1: $BYTES both ways, equal"
}

# judge FILE LEAST: tshark must have understood all of at least so many frames, and found their checksums right. What TCP
# carries is random, and none of its business: it is not put together, which would take longer than all the rest.
judge() {
    local frames bad
    tshark -n -r "$1" -o tcp.desegment_tcp_streams:FALSE -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
        -o udp.check_checksum:TRUE -T fields -e frame.number -e _ws.malformed -e ip.checksum.status \
        -e tcp.checksum.status -e udp.checksum.status -e icmp.checksum.status -e icmpv6.checksum.status \
        >"$SCRATCH/frames" 2>"$SCRATCH/tshark.log"
    frames=$(wc -l <"$SCRATCH/frames")
    [ "$frames" -ge "$2" ] || fail "$(basename "$1") holds $frames frames, expected $2"
    # Fields may hold several values, for a packet within an error message.
    bad=$(awk -F '\t' '{ wrong = $2 != ""
        for (i = 3; i <= NF; i++) wrong = wrong || $i ~ /(^|,)0(,|$)/
        if (wrong && ++count <= 5) print }' "$SCRATCH/frames")
    [ -z "$bad" ] || fail "tshark finds fault with $(basename "$1"): $bad"
    awk -F '\t' '$4 ~ /1/ || $5 ~ /1/ { good++ } END { exit good < NR / 10 }' "$SCRATCH/frames" ||
        fail "few checksums were looked at"
    say "tshark: $frames frames of $(basename "$1"), nothing wrong"
}

# capture_start FILE FILTER: of the host's end; ready when this returns.
capture_start() {
    rm -f "$SCRATCH/capture.log"
    tshark -q -i "vif$DOM.0" -f "$2" -w "$1" >"$SCRATCH/capture.log" 2>&1 &
    CAPTURE=$!
    wait_log "$SCRATCH/capture.log" "Capturing on" "$CAPTURE"
    # It says so before it does: until it has seen something.
    until [ -s "$1" ] && [ "$(stat -c %s "$1")" -gt 400 ]; do
        guest_ns ping -n -q -c 1 -W 1 "$HOST_IP" >/dev/null
    done
}

head -c $BYTES /dev/urandom >"$SCRATCH/file"
vif_up 1500
in_dom0 xensplit --run-dir "$SCRATCH/xensplit" capture "vif $DOM/0" "$SCRATCH/offloads.pcap" >/dev/null
bulk "with all offloads"
in_dom0 xensplit --run-dir "$SCRATCH/xensplit" uncapture "vif $DOM/0" >/dev/null
judge "$SCRATCH/offloads.pcap" 1000
rm "$SCRATCH/offloads.pcap"
tap_stop

# Without offloads each frame is on the TAP device as on a wire.
tap_start --no-csum
wait_ping
capture_start "$SCRATCH/wire.pcap" ""
bulk "without offloads"
guest_ns ping -n -q -c 5 -i 0.05 -s 4000 "$HOST_IP6" >/dev/null
kill_wait "$CAPTURE" INT
judge "$SCRATCH/wire.pcap" 20000
tap_stop

in_guest "$DOM" xenfront net dump --count=20 --out="$SCRATCH/dump.pcap" 2>"$SCRATCH/dump.log" &
dump=$!
wait_log "$SCRATCH/dump.log" "listening" "$dump"
ip neigh replace "$GUEST_IP" lladdr "$MAC" dev "vif$DOM.0"
ping -n -q -f -c 10 -W 1 "$GUEST_IP" >/dev/null || :
for ((i = 0; i < 20; i++)); do
    echo "datagram $i" | socat -u - "UDP:$GUEST_IP:9"
done
wait "$dump"
judge "$SCRATCH/dump.pcap" 20
xenbox detach "$DOM" vif 0
