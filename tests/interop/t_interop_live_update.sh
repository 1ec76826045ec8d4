#!/bin/bash
# SPDX-License-Identifier: MIT
# xenstored replaces itself in a box by Xen's live update: it executes its binary again, finds its event channels
# behind the descriptors that it kept, maps the guests' rings anew, and no client notices.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need "$XEN_BIN/xenstored" "$XEN_BIN/xenstore-control" xenstore-watch jq

box_up
guest_create
in_guest "$DOM" xenstore-write data/kept before
daemon=$(jq .pids.xenstored "$XENBOX/box.json")
env XENSTORED_PATH="$XENBOX/store/$DOM" xenstore-watch data/told >"$SCRATCH/watch.log" &
watcher=$!
wait_log "$SCRATCH/watch.log" '^data/told$' # a watch fires once when it is set

for round in 1 2 3; do
    in_dom0 "$XEN_BIN/xenstore-control" live-update -s "$XEN_BIN/xenstored"
    # -U is what it tells its successor
    tr '\0' ' ' <"/proc/$daemon/cmdline" | grep -q -e ' -U' || fail "xenstored was not replaced"
    [ "$(in_guest "$DOM" xenstore-read data/kept)" = before ]
    in_guest "$DOM" xenstore-write "data/told/$round" x
    wait_log "$SCRATCH/watch.log" "^data/told/$round\$" "$watcher"
done

say "domains still come and go"
guest_create late
[ "$(in_guest "$DOM" xenstore-read name)" = late ]
xenbox domain destroy "$DOM"
expect_fail "couldn't read" xenbox run -- xenstore-read "/local/domain/$DOM/name"
kill "$watcher"
wait "$watcher" || :
