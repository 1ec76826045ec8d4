#!/bin/bash
# SPDX-License-Identifier: MIT
# A capture of an interface: what a guest sends and receives is there in a form that other programs read, frame by frame,
# with good checksums, whether the interface is connected at the beginning or not; and how it ends.
. "$(dirname "$0")/../net.sh"
need ping tcpdump prlimit iperf3

CTL=(xenbox run -- xensplit --run-dir "$SCRATCH/xensplit")
ctl() {
    "${CTL[@]}" "$@"
}

# in_file FILE FILTER: how many packets of the capture are such ones.
in_file() {
    tcpdump -r "$1" -n "$2" 2>"$SCRATCH/tcpdump.err" | wc -l
}

box_up
daemon_start
guest_net_start
guest_create
vif_attach
ctl capture "vif $DOM/0" "$SCRATCH/first.pcap" | grep -q "^vif $DOM/0" || fail "no answer"
tap_start
host_up 1500
wait_ping
guest_ns ping -q -c 5 -i 0.02 -s 1000 "$HOST_IP" >/dev/null
guest_ns ping -q -c 5 -i 0.02 -s 5000 "$HOST_IP6" >/dev/null

say "another file takes over, the first is whole"
ctl capture "vif $DOM/0" "$SCRATCH/second.pcap" >/dev/null
[ "$(in_file "$SCRATCH/first.pcap" "icmp[icmptype] = icmp-echo and greater 1042")" -ge 5 ] || fail "echos are missing"
[ "$(in_file "$SCRATCH/first.pcap" "icmp[icmptype] = icmp-echoreply and greater 1042")" -ge 5 ] || fail "replies are missing"
[ "$(in_file "$SCRATCH/first.pcap" "ip6 and greater 1400")" -ge 10 ] || fail "fragments are missing"

say "streams both ways, with blank checksums and packets that are yet to be cut into segments"
stream() {
    rm -f "$SCRATCH/iperf.log"
    guest_ns iperf3 -s -1 -D --forceflush --logfile "$SCRATCH/iperf.log"
    wait_log "$SCRATCH/iperf.log" listening
    iperf3 -n 4M "$@" >/dev/null
}
stream -c "$GUEST_IP"
stream -c "$GUEST_IP" -R
stream -c "$GUEST_IP6"
stream -c "$GUEST_IP6" -R
ctl uncapture "vif $DOM/0" >/dev/null
wait_log "$DAEMON_LOG" "the capture ended: [0-9]+ frames written, 0 left out"
for from in "$HOST_IP" "$GUEST_IP" "$HOST_IP6" "$GUEST_IP6"; do
    [ "$(in_file "$SCRATCH/second.pcap" "tcp and src host $from and greater 3000")" -ge 10 ] ||
        fail "no long packets from $from"
done
tcpdump -r "$SCRATCH/second.pcap" -n -vv tcp >"$SCRATCH/streams" 2>/dev/null
[ "$(wc -l <"$SCRATCH/streams")" -ge 20 ]
! grep -m 3 "incorrect" "$SCRATCH/streams" || fail "bad checksums"
size=$(stat -c %s "$SCRATCH/second.pcap")
guest_ns ping -q -c 3 -i 0.02 "$HOST_IP" >/dev/null
[ "$(stat -c %s "$SCRATCH/second.pcap")" = "$size" ] || fail "it went on"

say "what cannot be"
expect_fail "vif $DOM/0: cannot write a capture to /no/such/file: No such file" "${CTL[@]}" capture "vif $DOM/0" /no/such/file
expect_fail "expected one that is served" "${CTL[@]}" capture "vif $DOM/9" "$SCRATCH/none.pcap"
mkfifo "$SCRATCH/fifo"
expect_fail "vif $DOM/0: capture: expected a regular file, or a name that is free, found $SCRATCH/fifo" "${CTL[@]}" capture "vif $DOM/0" "$SCRATCH/fifo"
cat "$SCRATCH/fifo" & # somebody who reads makes it no better
READER=$!
expect_fail "capture: expected a regular file" "${CTL[@]}" capture "vif $DOM/0" "$SCRATCH/fifo"
kill_wait "$READER"
expect_fail "capture: expected a regular file" "${CTL[@]}" capture "vif $DOM/0" /dev/full
expect_fail "cannot write a capture to $SCRATCH: Is a directory" "${CTL[@]}" capture "vif $DOM/0" "$SCRATCH"
ctl capture "vif $DOM/0" "$SCRATCH/second.pcap" >/dev/null
expect_fail "capture: expected a file that no other capture is written to" "${CTL[@]}" capture "vif $DOM/0" "$SCRATCH/second.pcap"
ctl uncapture "vif $DOM/0" >/dev/null
expect_fail "expected a file, found nothing" "${CTL[@]}" capture "vif $DOM/0"
expect_fail "expected a disk, found an interface" "${CTL[@]}" suspend "vif $DOM/0"

say "a capture ends with its device"
ctl capture "vif $DOM/0" "$SCRATCH/third.pcap" >/dev/null
guest_ns ping -q -c 3 -i 0.02 "$HOST_IP" >/dev/null
vif_down
[ "$(in_file "$SCRATCH/third.pcap" icmp)" -ge 6 ] || fail "the end is missing"

say "a full disk"
daemon_stop
DAEMON_WRAP=(prlimit --fsize=65536)
daemon_start
vif_attach
tap_start
host_up 1500
wait_ping
ctl capture "vif $DOM/0" "$SCRATCH/full.pcap" >/dev/null
guest_ns ping -q -c 60 -i 0.01 -s 1400 "$HOST_IP" >"$SCRATCH/ping.log" || fail "$(cat "$SCRATCH/ping.log")"
wait_log "$DAEMON_LOG" "warning: capture to $SCRATCH/full.pcap: File too large: nothing more is written"
guest_ns ping -q -c 20 -i 0.01 -s 1400 "$HOST_IP" >"$SCRATCH/ping.log" || fail "the device suffers: $(cat "$SCRATCH/ping.log")"
expect_fail "vif $DOM/0: the capture before was not written as a whole: File too large" "${CTL[@]}" uncapture "vif $DOM/0"
[ "$(in_file "$SCRATCH/full.pcap" icmp)" -gt 20 ] || fail "what there was room for cannot be read"
vif_down
