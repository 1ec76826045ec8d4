# SPDX-License-Identifier: MIT
# A box comes up and goes down again twenty times, and leaves neither a process nor a file.
# short: yes
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

export XENBOX_HOME=$SCRATCH/boxes
BOX=one

dir=$(xenbox up $BOX)
[ "$dir" = "$XENBOX_HOME/one" ] || fail "up printed '$dir'"
defer xenbox down $BOX
[ "$(box_state)" = up ] || fail "state is '$(box_state)'"
[ "$(stat -c %a "$dir")" = 700 ] || fail "others may look into the box"
for part in supervisor hv xenstored xenbus; do
    kill -0 "$(box_pid $part)" || fail "$part is not running"
done
[ "$(ps -o sid= -p "$(box_pid supervisor)" | tr -d ' ')" != "$(ps -o sid= -p $$ | tr -d ' ')" ] ||
    fail "the box is in the session of the caller"
[ "$(ps -o tty= -p "$(box_pid hv)" | tr -d ' ')" = '?' ] || fail "the box has a terminal"

say "a name that is taken"
expect_fail "box 'one' is up already \(pid $(box_pid supervisor), $dir\)" xenbox up $BOX

pids="$(box_pid supervisor) $(box_pid hv) $(box_pid xenstored) $(box_pid xenbus)"
xenbox down $BOX
_undo=()
expect_gone $pids
[ ! -e "$dir" ] || fail "$dir is still there"
expect_fail "there is no box 'one'" xenbox down $BOX

say "twenty times"
for _ in {1..20}; do
    dir=$(xenbox up $BOX)
    pids="$(box_pid supervisor) $(box_pid hv) $(box_pid xenstored) $(box_pid xenbus)"
    xenbox -b $BOX domain create guest >/dev/null
    xenbox down $BOX
    expect_gone $pids
    [ ! -e "$dir" ] || fail "$dir is still there"
done
[ -z "$(ls -A "$XENBOX_HOME")" ] || fail "left: $(ls -A "$XENBOX_HOME")"

say "in the foreground, until SIGTERM"
xenbox up --foreground $BOX >"$SCRATCH/foreground.log" &
pid=$!
wait_log "$SCRATCH/foreground.log" "$XENBOX_HOME/one" $pid
[ "$(box_pid supervisor)" = $pid ] || fail "the supervisor is $(box_pid supervisor), not $pid"
kill -TERM $pid
wait $pid
[ ! -e "$XENBOX_HOME/one" ] || fail "the box is still there"
