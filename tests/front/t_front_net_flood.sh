#!/bin/bash
# SPDX-License-Identifier: MIT
# A network that sends without end: what is to end does, after so many packets, so many seconds, or a signal.
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start --workers 1
guest_create
xenbox attach "$DOM" vif devid=0 mac=00:16:3e:00:00:01 port=generator >/dev/null

say "so many packets"
in_guest "$DOM" timeout "$DEADLINE" xenfront net dump --count=1000 --out="$SCRATCH/dump.pcap" 0 2>"$SCRATCH/dump.log"
grep -q ": 1000 packets" "$SCRATCH/dump.log"
[ "$(stat -c %s "$SCRATCH/dump.pcap")" = $((24 + 1000 * (16 + 60))) ] || fail "it wrote $(stat -c %s "$SCRATCH/dump.pcap") bytes"

say "so many seconds"
in_guest "$DOM" timeout "$DEADLINE" xenfront net dump --seconds=1 --quiet 0 >/dev/null

say "a signal"
xenbox run -d "$DOM" -- xenfront net dump 0 >"$SCRATCH/lines" 2>"$SCRATCH/dump.log" &
DUMP=$!
wait_log "$SCRATCH/lines" "192.0.2.1" "$DUMP"
kill -TERM "$DUMP"
wait_exit "$DUMP"
status=0
wait "$DUMP" || status=$?
[ $status = 143 ] || fail "xenfront net dump ended with $status"

say "nobody answers"
expect_fail "nobody says that he is 192.0.2.9" xenbox run -d "$DOM" -- \
    xenfront net ping --from=192.0.2.2 --to=192.0.2.9 --timeout=2 0
xenbox detach "$DOM" vif 0 >/dev/null
