# SPDX-License-Identifier: MIT
# Whatever part of a box is killed: nothing lives on that should not, `list` says what happened, and the name can be
# used again.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

box_up
parts() {
    echo "$(box_pid supervisor) $(box_pid hv) $(box_pid xenstored) $(box_pid xenbus)"
}

say "the hypervisor process is killed: all that is in the box goes with it"
xenbox domain create guest >/dev/null
xenbox run -- xensplitd --run-dir "$SCRATCH/run" >"$SCRATCH/daemon.log" 2>&1 &
daemon=$!
wait_log "$SCRATCH/daemon.log" serves $daemon
pids=$(parts)
kill -KILL "$(box_pid hv)"
expect_gone $pids $daemon
wait $daemon || :
[ "$(box_state)" = crashed ] || fail "state is '$(box_state)'"
xenbox list | grep -q 'xenbox-hv (pid [0-9]*) was killed by signal 9' || fail "list does not say why"
expect_fail "box '$BOX' has crashed: xenbox-hv .* 'xenbox down $BOX' clears it away" xenbox run true
expect_fail "has crashed" xenbox dump

say "down clears it away"
xenbox down "$BOX"
[ ! -e "$XENBOX" ] || fail "$XENBOX is still there"

say "the supervisor is killed: all goes with it, and up clears what is left"
xenbox up "$BOX"
pids=$(parts)
kill -KILL "$(box_pid supervisor)"
expect_gone $pids
[ "$(box_state)" = crashed ] || fail "state is '$(box_state)'"
touch "$XENBOX/rest"
xenbox up "$BOX"
[ "$(box_state)" = up ] || fail "state is '$(box_state)'"
[ ! -e "$XENBOX/rest" ] || fail "the crashed box was not cleared"

say "all at once"
pids=$(parts)
kill -KILL $pids
expect_gone $pids
xenbox down "$BOX"
[ ! -e "$XENBOX" ] || fail "$XENBOX is still there"

say "a process of the box that outlived its supervisor is found by what it has mapped"
xenbox up "$BOX"
xenbox run -- xensplitd --run-dir "$SCRATCH/run" >"$SCRATCH/survivor.log" 2>&1 &
daemon=$!
wait_log "$SCRATCH/survivor.log" serves $daemon
kill -STOP $daemon
pids=$(parts)
kill -KILL "$(box_pid supervisor)"
expect_gone $pids
xenbox down "$BOX"
expect_gone $daemon
wait $daemon || :

say "xenstored is killed: the box is broken and says so"
xenbox up "$BOX"
xenbox domain create guest >/dev/null
kill -KILL "$(box_pid xenstored)"
expect_state "$BOX" broken
xenbox list | grep -q 'xenstored (pid [0-9]*) was killed by signal 9' || fail "list does not say why"
expect_fail "box '$BOX' is broken: xenstored .* was killed by signal 9" xenbox domain create other
expect_fail "box '$BOX' is broken" xenbox attach guest vbd target=/x
[ "$(xenbox domain list | wc -l)" = 3 ] || fail "the hypervisor process is hit: $(xenbox domain list)"
pids=$(parts)
xenbox down "$BOX"
expect_gone ${pids/ 0/}

say "the hypervisor process hangs: it is told, and then killed"
xenbox up "$BOX"
pids=$(parts)
kill -STOP "$(box_pid hv)"
expect_fail "the hypervisor process of box '$BOX' does not answer: Connection timed out" xenbox domain list
xenbox down "$BOX"
expect_gone $pids

say "the guests' proxy is killed"
xenbox up "$BOX"
kill -KILL "$(box_pid xenbus)"
expect_state "$BOX" broken
expect_fail 'xenbox-xenbus .* was killed by signal 9' xenbox domain create other
[ "$(xenbox domain list | wc -l)" = 2 ] || fail "half a domain is left: $(xenbox domain list)"
