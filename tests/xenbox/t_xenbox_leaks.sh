# SPDX-License-Identifier: MIT
# What programs have not given back is reported when the box goes down, by process and by domain, and nothing is
# reported of a box whose programs have ended.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

# leaks: goes down; what it said is in $SCRATCH/leaks.
leaks() {
    xenbox down "$BOX" 2>"$SCRATCH/leaks"
    unset XENBOX
}
expect_leak() {
    grep -qE "$1" "$SCRATCH/leaks" || fail "no line matches '$1' in: $(cat "$SCRATCH/leaks")"
}

say "guests and disks come and go"
box_up
guest_create guest
image_make "$SCRATCH/disk.img" 1
daemon_start
disk_attach "$DOM" target="$SCRATCH/disk.img"
in_guest "$DOM" xenfront blk verify --quiet --size=1M "$VDEV"
xenbox detach "$DOM" vbd "$VDEV"
daemon_stop
leaks
[ ! -s "$SCRATCH/leaks" ] || fail "reported: $(cat "$SCRATCH/leaks")"

say "a frontend and a backend at work"
box_up
guest_create guest
daemon_start
disk_attach "$DOM" target="$SCRATCH/disk.img"
xenbox run -d "$DOM" -- xenfront blk bench --seconds=600 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
frontend=$!
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
daemon=$DAEMON
unset DAEMON # goes down with the box
leaks
wait "$frontend" || :
wait "$daemon" || :
expect_leak "^xenbox: box '$BOX' goes down with something left in it:$"
expect_leak "^  process $daemon xensplitd of domain 0: [0-9]+ mappings?, 1 event channel, [0-9]+ open handles$"
expect_leak "^  process $frontend xenfront of domain $DOM: [0-9]+ shared pages, 1 event channel, [0-9]+ open handles$"
[ "$(wc -l <"$SCRATCH/leaks")" = 3 ] || fail "more was reported: $(cat "$SCRATCH/leaks")"

say "a domain whose page another one still maps"
box_up
guest_create guest
daemon_start
disk_attach "$DOM" target="$SCRATCH/disk.img"
xenbox run -d "$DOM" -- xenfront blk bench --seconds=600 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
frontend=$!
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
daemon=$DAEMON
unset DAEMON
kill -STOP "$daemon" # it lets go of nothing
xenbox domain destroy guest >"$SCRATCH/destroy.log" 2>&1 || :
wait "$frontend" || :
leaks
wait "$daemon" || :
expect_leak "^  domain $DOM guest, a zombie whose pages are still in use: [0-9]+ shared pages?$"
expect_leak "^  process $daemon xensplitd of domain 0: [0-9]+ mappings?"
