# SPDX-License-Identifier: MIT
# run --log keeps what the programs of a domain say, in bounds, and console prints it.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

box_up
guest_create guest
guest_create other

# logged COMMAND...: in the guest; returns when all that it said is in the log.
logged() {
    xenbox run --log -d guest -- "$@"
    wait_log "$XENBOX/console-1.log" "$mark"
}

say "nothing yet"
expect_fail "domain guest has no log: start its programs with 'xenbox run --log -d guest'" xenbox console guest
expect_fail "which domain" xenbox console
expect_fail "there is no domain 'nobody'" xenbox console nobody

say "both streams, by number and by name, and the exit status"
mark=wrong logged sh -c 'echo right; echo wrong >&2'
[ "$(xenbox console guest)" = $'right\nwrong' ] || fail "the log: $(xenbox console guest)"
expect_status 7 xenbox run --log -d guest -- sh -c 'exit 7'
mark=again logged sh -c 'echo again'
[ "$(xenbox console 1 | tail -n 1)" = again ] || fail "the second program: $(xenbox console guest)"
expect_fail "domain other has no log" xenbox console other

say "it is followed"
xenbox console -f guest >"$SCRATCH/followed" &
follower=$!
mark=later logged echo later
wait_log "$SCRATCH/followed" '^later$'
kill $follower
wait $follower || :

say "it does not grow without bound"
mark=last logged sh -c 'yes "a line of a program that talks too much" | head -c 5000000; echo; echo last'
[ "$(cat "$XENBOX"/console-1.log* | wc -c)" -le $((2 * 1024 * 1024 + 2 * 65536)) ] || fail "$(ls -l "$XENBOX")"
[ "$(xenbox console guest | tail -n 1)" = last ] || fail "the end is lost"

say "a program that lives on is no obstacle to down"
xenbox run --log -d guest -- xenstore-watch some/node &
watcher=$!
wait_log "$XENBOX/console-1.log" "some/node"
xenbox down "$BOX"
unset XENBOX
kill $watcher
wait $watcher || :
