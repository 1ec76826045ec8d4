# SPDX-License-Identifier: MIT
# dump shows grants, maps, ports and connections with the processes that have them.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

need jq

box_up --limit gntalloc-pages=99 --limit event-channels=64 --limit grant-frames=2 --limit maptrack-frames=7 \
    --limit gntdev-pages=77 --mapping=strict
guest_create guest
image_make "$SCRATCH/disk.img" 1
daemon_start
disk_attach $DOM target="$SCRATCH/disk.img"

xenbox dump >"$SCRATCH/dump"
grep -q "mapping strict" "$SCRATCH/dump" || fail "mapping"
use='[0-9]+/'
grep -qE "^ +$DOM guest +running +[0-9]+ +${use}1024 +1/2 +0/7 +${use}64 +0/99$" "$SCRATCH/dump" ||
    fail "limits: $(cat "$SCRATCH/dump")"
grep -qE "domains 2/2048, frames ${use}4194304, maptrack frames ${use}16384, connections ${use}16384, .* at most 77$" \
    "$SCRATCH/dump" || fail "limits of the box"
grep -qE " gnttab +0 +1/65536 .* xenstored$" "$SCRATCH/dump" || fail "limit of a handle"
grep -qE " +$DOM +1 +0 .* write +0/1 " "$SCRATCH/dump" || fail "the store's ring is not in use"
grep -qE "evtchn +0 .*$(box_pid xenstored) xenstored" "$SCRATCH/dump" || fail "xenstored has no connection"
xenbox dump --json >"$SCRATCH/dump.json"
grep -q '"mapping": "strict"' "$SCRATCH/dump.json" || fail "JSON"
grep -q "\"pid\": $DAEMON," "$SCRATCH/dump.json" || fail "the daemon has no connection"

# limit DOMID KEY: used and limit, as JSON has them.
limit() {
    jq -c --argjson domid "$1" --arg key "$2" '.domains[] | select(.domid == $domid).limits[$key] | [.used, .limit]' \
        "$SCRATCH/dump.json"
}
[ "$(limit "$DOM" grant_frames)" = '[1,2]' ] || fail "grant frames: $(limit "$DOM" grant_frames)"
[[ $(limit 0 maptrack_frames) =~ ^\[[1-9],7\]$ ]] || fail "maptrack frames: $(limit 0 maptrack_frames)"
[[ $(limit 0 event_channels) =~ ^\[[1-9]+,64\]$ ]] || fail "event channels: $(limit 0 event_channels)"
[ "$(limit "$DOM" gntalloc_pages)" = '[0,99]' ] || fail "shared pages: $(limit "$DOM" gntalloc_pages)"
[ "$(jq .limits.pages_per_map_call "$SCRATCH/dump.json")" = 77 ] || fail "pages in a map call"

say "limits hold"
expect_status 1 xenbox up "${BOX}x" --limit gntalloc-pages=0
