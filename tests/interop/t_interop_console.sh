#!/bin/bash
# SPDX-License-Identifier: MIT
# xenconsoled serves the console ring of a guest: what the guest says comes out of its terminal and into its log, and
# what is typed there reaches the guest.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need "$XEN_BIN/xenconsoled"

box_up
guest_create guest
console=/local/domain/$DOM/console

mkdir "$SCRATCH/logs"
xenbox run -- "$XEN_BIN/xenconsoled" -i --log=guest --log-dir="$SCRATCH/logs" --pid-file="$SCRATCH/pid" \
    >"$SCRATCH/xenconsoled.log" 2>&1 &
daemon=$!
xenbox run -d guest -- "$XS_BUILDDIR/tests/interop/console_guest" "$DOM" "hello from the guest" >"$SCRATCH/ring" &
guest=$!
wait_log "$SCRATCH/ring" '^[0-9]+ [0-9]+$' "$guest"
read -r frame port <"$SCRATCH/ring"

say "as xl writes its nodes"
in_dom0 xenstore-write $console/limit 1048576 $console/type xenconsoled $console/output pty $console/tty "" \
    $console/port "$port" $console/ring-ref "$frame"
wait_store $console/tty '/dev/pts/[0-9]+'
wait_log "$SCRATCH/logs/guest-guest.log" 'hello from the guest' "$daemon"

say "a line that is typed"
tty=$(in_dom0 xenstore-read $console/tty)
echo 'a question' >"$tty"
wait_log "$SCRATCH/logs/guest-guest.log" 'got a question' "$daemon"
echo quit >"$tty"
wait "$guest"
wait_log "$SCRATCH/logs/guest-guest.log" 'got quit' "$daemon"
kill "$daemon"
wait "$daemon" || :
