#!/bin/bash
# SPDX-License-Identifier: MIT
# Many programs of one guest share its store ring: none can spoil it for the others, and what a killed one owned
# is undone. xenstored's own limits (10 transactions and 128 watches a domain) show each that was not.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/../interop/interop.sh"
need "$XEN_BIN/xenstore-control" xenstore-read xenstore-write jq prlimit

LOAD=$XS_BUILDDIR/tests/xenstore/xs_load
box_up
guest_create
store=(env XENSTORED_PATH="$XENBOX/store/$DOM") # makes a command one of the guest, with the pid that it is started with

say "garbage and messages that are too long"
for _ in 1 2 3; do
    "${store[@]}" "$LOAD" garbage
    "${store[@]}" "$LOAD" oversize
done

say "requests ahead of their answers"
"${store[@]}" xenstore-write data/value something
"${store[@]}" "$LOAD" pipeline data/value 500

say "transactions of eight programs at once"
"${store[@]}" xenstore-write data/sum 0
clients=()
for _ in 1 2 3 4 5 6 7 8; do
    "${store[@]}" "$LOAD" increment data/sum 20 &
    clients+=($!)
done
for client in "${clients[@]}"; do
    wait "$client"
done
[ "$("${store[@]}" xenstore-read data/sum)" = 160 ]

say "programs killed with a transaction and a watch"
"${store[@]}" xenstore-write data/held before
for round in $(seq 40); do
    "${store[@]}" "$LOAD" hold data/held >"$SCRATCH/hold.$round.log" &
    holder=$!
    wait_log "$SCRATCH/hold.$round.log" holding
    kill -KILL "$holder"
    wait "$holder" 2>/dev/null || :
done
[ "$("${store[@]}" xenstore-read data/held)" = before ]
"${store[@]}" "$LOAD" watches data/watched 100
"${store[@]}" "$LOAD" increment data/sum 1

say "a program that never reads its events"
"${store[@]}" "$LOAD" deaf data/flood >"$SCRATCH/deaf.log" &
deaf=$!
wait_log "$SCRATCH/deaf.log" watching
"${store[@]}" "$LOAD" flood data/flood &
flood=$!
wait_exit "$deaf" || fail "it was not disconnected"
[ "$("${store[@]}" xenstore-read data/held)" = before ]
kill -KILL "$flood"
wait "$flood" 2>/dev/null || :
wait_log "$XENBOX/xenbox-xenbus.log" "domain $DOM: .*does not read its watch events"

say "more programs than the proxy has descriptors for"
proxy=$(jq .pids.xenbus "$XENBOX/box.json")
prlimit --pid "$proxy" --nofile=$(($(ls "/proc/$proxy/fd" | wc -l) + 4)):
waiters=()
for number in $(seq 8); do
    "${store[@]}" "$LOAD" wait >"$SCRATCH/wait.$number.log" 2>&1 &
    waiters+=($!)
done
wait_log "$XENBOX/xenbox-xenbus.log" "domain $DOM: no descriptors left"
kill -KILL "${waiters[@]}" 2>/dev/null || :
wait "${waiters[@]}" 2>/dev/null || :
prlimit --pid "$proxy" --nofile=1024:
[ "$("${store[@]}" xenstore-read data/held)" = before ]

say "a thousand watches"
in_dom0 "$LOAD" watches /watched 1000
for quota in watches nodes; do
    in_dom0 "$XEN_BIN/xenstore-control" quota set "$quota" 2500
done
"${store[@]}" "$LOAD" watches data/watched 1000

xenbox domain destroy "$DOM"
