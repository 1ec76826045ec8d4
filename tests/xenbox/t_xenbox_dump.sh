# SPDX-License-Identifier: MIT
# dump shows grants, maps, ports and connections with the processes that have them.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

box_up --limit gntalloc-pages=99 --limit event-channels=64 --mapping=strict
guest_create guest
image_make "$SCRATCH/disk.img" 1
daemon_start
disk_attach $DOM target="$SCRATCH/disk.img"

xenbox dump >"$SCRATCH/dump"
grep -q "mapping strict" "$SCRATCH/dump" || fail "mapping"
grep -qE "^ +$DOM guest +running .* [0-9]+/64 .* 0/99$" "$SCRATCH/dump" || fail "limits: $(cat "$SCRATCH/dump")"
grep -qE " +$DOM +1 +0 .* write +0/1 " "$SCRATCH/dump" || fail "the store's ring is not in use"
grep -qE "evtchn +0 .*$(box_pid xenstored) xenstored" "$SCRATCH/dump" || fail "xenstored has no connection"
xenbox dump --json >"$SCRATCH/dump.json"
grep -q '"mapping": "strict"' "$SCRATCH/dump.json" || fail "JSON"
grep -q "\"pid\": $DAEMON," "$SCRATCH/dump.json" || fail "the daemon has no connection"

say "limits hold"
expect_status 1 xenbox up "${BOX}x" --limit gntalloc-pages=0
