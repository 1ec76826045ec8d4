# SPDX-License-Identifier: MIT
# hostile_net.sh: what the tests of hostile network frontends share: a box with a daemon and an evil guest, whose
# interface ends in a socket of the evil program itself, so that it sees what is let out. Source it after functions.sh.

HOSTILE_NET=$XS_BUILDDIR/tests/hostile/hostile_net
WIRE=$SCRATCH/wire
VIF=0

# evil_guest [OPTION...]: the options are the daemon's.
evil_guest() {
    box_up
    daemon_start --workers 1 "$@"
    guest_create evil
    EVIL=$DOM
}

# hostile_start CASE [PARAMETER...]: the program runs, and the device is attached with the parameters; $HOSTILE_PID.
hostile_start() {
    local case=$1
    shift
    say "$case"
    rm -f "$SCRATCH/hostile.log"
    timeout $((4 * DEADLINE)) xenbox run -d "$EVIL" -- "$HOSTILE_NET" $VIF "$WIRE" "$case" >"$SCRATCH/hostile.log" 2>&1 &
    HOSTILE_PID=$!
    wait_log "$SCRATCH/hostile.log" "^listening" "$HOSTILE_PID"
    xenbox attach --timeout "$DEADLINE" "$EVIL" vif devid=$VIF mac=00:16:3e:00:00:66 port="socket:$WIRE" "$@" >/dev/null
}

# hostile_end [REGEX]: the backend must have done right; with REGEX it must have said so in its log.
hostile_end() {
    wait "$HOSTILE_PID" || {
        cat "$SCRATCH/hostile.log"
        fail "the backend did wrong"
    }
    kill -0 "$DAEMON" || fail "the daemon is gone"
    xenbox detach "$EVIL" vif $VIF >/dev/null
    [ -z "${1:-}" ] || grep -q -E -e "$1" "$DAEMON_LOG" || fail "nothing said '$1'"
}

# hostile CASE [REGEX]
hostile() {
    hostile_start "$1"
    hostile_end "${2:-}"
}

# good_start, good_end: another device of the same worker, which must be served all the while. $GOOD is its program.
good_start() {
    xenbox run -d "$EVIL" -- "$HOSTILE_NET" 3 "$WIRE.3" ids >"$SCRATCH/good.log" 2>&1 &
    GOOD=$!
    wait_log "$SCRATCH/good.log" "^listening" "$GOOD"
    xenbox attach --timeout "$DEADLINE" "$EVIL" vif devid=3 mac=00:16:3e:00:00:67 port="socket:$WIRE.3" >/dev/null
}
good_end() {
    wait "$GOOD" || fail "the other was not served: $(cat "$SCRATCH/good.log")"
    xenbox detach "$EVIL" vif 3 >/dev/null
}
