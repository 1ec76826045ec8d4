# SPDX-License-Identifier: MIT
# functions.sh: what the shell tests share. A test is a bash script that starts with
#
#     . "$(dirname "$0")/../functions.sh"
#
# and then runs straight through: any command that fails ends it with FAIL and the line. Each test has a scratch
# directory $SCRATCH, and whatever it starts is undone in reverse order when it ends, however it ends. A test that
# passed must in addition leave nothing behind: no process, no grant, no port, no file, no sanitizer report.
#
# Wait for events with wait_store, wait_log, wait_exit; never sleep for a fixed time. All of them give up after
# $DEADLINE seconds.

set -eEu -o pipefail
TEST=$(basename "$0" .sh)

if [ -z "${XS_STAGE:-}" ]; then
    echo "$TEST needs its environment: run it with tests/run -b BUILDDIR $0" >&2
    exit 99
fi

DEADLINE=$((30 * ${XS_TIME_FACTOR:-1}))
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/xs-$TEST.XXXXXX")
XS_TEST_ID=$SCRATCH # marks every process that comes from this test
export XS_TEST_ID
_undo=()
_failed=
_reason=

# Reports of the sanitizers go to files, since much of what runs here runs in the background.
export ASAN_OPTIONS="log_path=$SCRATCH/sanitizer:detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$SCRATCH/sanitizer${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
export TSAN_OPTIONS="log_path=$SCRATCH/sanitizer${TSAN_OPTIONS:+:$TSAN_OPTIONS}"

say() {
    echo "--- $*"
}

# Ends the test: it failed.
fail() {
    _failed=1
    echo "FAIL: $*"
    exit 1
}

# Ends the test: it cannot run here. The reason must be in tests/skips for a full run to accept it.
skip() {
    echo "SKIP: $*"
    exit 77
}

# Skips unless all these programs are there.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# Runs a command when the test ends; the last one registered runs first.
defer() {
    _undo+=("$(printf '%q ' "$@")")
}

# The test ends with this command. _finish says so: here, a function may be running whose output goes elsewhere.
_report_error() {
    [ "$BASH_SUBSHELL" = 0 ] || return 0
    [ -n "$_failed" ] || _reason="FAIL: line $1: $2 (exit status $3)"
    _failed=1
}
trap '_report_error "$LINENO" "$BASH_COMMAND" "$?"' ERR

# Processes of this test that still live.
survivors() {
    local environ pid
    grep -lsza "^XS_TEST_ID=$XS_TEST_ID\$" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ pid environ; do
        [ "$pid" = "$BASHPID" ] || ! kill -0 "$pid" 2>/dev/null || echo "$pid"
    done || :
}

_finish() {
    local status=$? pid i report
    trap - ERR EXIT
    trap '' INT TERM HUP
    set +eE
    [ -z "$_reason" ] || echo "$_reason"
    [ $status = 0 ] || [ $status = 77 ] || _failed=1
    for ((i = ${#_undo[@]} - 1; i >= 0; i--)); do
        eval "${_undo[i]}" || {
            echo "FAIL: cleaning up: ${_undo[i]}"
            _failed=1
        }
    done
    for pid in $(survivors); do
        # A process that is on its way out may finish; one that stays is a leak.
        wait_exit "$pid" 5 && continue
        echo "FAIL: left running: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
        _failed=1
        kill -KILL "$pid" 2>/dev/null
    done
    for report in "$SCRATCH"/sanitizer*; do
        [ -s "$report" ] || continue
        echo "FAIL: sanitizer report"
        cat "$report"
        _failed=1
    done
    if [ -n "$_failed" ]; then
        status=1
        for report in "$SCRATCH"/*.log; do
            [ -s "$report" ] || continue
            echo "--- $(basename "$report")"
            tail -n 80 "$report"
        done
    fi
    [ -n "${XS_KEEP:-}" ] && echo "kept: $SCRATCH" || rm -rf "$SCRATCH"
    exit $status
}
trap _finish EXIT
trap 'echo "FAIL: interrupted"; _failed=1; exit 1' INT TERM HUP

# rounds CHECK SOAK: how often something is repeated: CHECK times, or, in a soak of $XS_SOAK seconds, up to SOAK times,
# that many when it lasts for ten minutes.
rounds() {
    local seconds=$((${XS_SOAK:-0} < 600 ? ${XS_SOAK:-0} : 600))
    echo $(($1 + ($2 - $1) * seconds / 600))
}

# soaked: a test of a soak has repeated what it repeats for long enough: a third of the time that its suite has.
soaked() {
    [ "${XS_SOAK:-0}" != 0 ] && [ $SECONDS -gt $((XS_SOAK / 3)) ]
}

# wait_exit PID [SECONDS]: until the process is gone; fails when it stays.
wait_exit() {
    timeout "${2:-$DEADLINE}" tail -s 0.02 --pid="$1" -f /dev/null
}

# wait_log FILE REGEX [PID]: until a line of the growing file matches; fails when the process goes first.
wait_log() {
    timeout "$DEADLINE" grep -q -m 1 -E -e "$2" <(exec tail -s 0.02 -n +1 ${3:+--pid="$3"} -F "$1" 2>/dev/null) ||
        fail "no line matching '$2' came in $(basename "$1")"
}

# expect_fail PATTERN COMMAND...: the command must fail by itself (no signal, no time-out) and say something that
# matches; its output is kept in $SCRATCH/expected.log.
expect_fail() {
    local pattern=$1 status=0
    shift
    timeout "$DEADLINE" "$@" >"$SCRATCH/expected.log" 2>&1 || status=$?
    [ $status != 0 ] || fail "succeeded, but should have failed: $*"
    [ $status -lt 124 ] || fail "ended with status $status: $*"
    grep -q -E -e "$pattern" "$SCRATCH/expected.log" || fail "did not say '$pattern': $*"
    rm -f "$SCRATCH/expected.log"
}

# --- the emulated Xen ---------------------------------------------------------------------------------------------

# box_up [OPTION...]: a box of this test's own, chosen for every later command by $XENBOX. XS_STORE says who keeps its
# store, XS_MODE how the kernels of the box see mapped pages.
box_up() {
    export XENBOX_HOME="$SCRATCH/boxes"
    BOX=t$$
    XENBOX=$(xenbox up ${XS_STORE:+--store="$XS_STORE"} ${XS_MODE:+--mode="$XS_MODE"} "$@" "$BOX" 2>>"$SCRATCH/box.log")
    export XENBOX
    defer box_down
}

# Ends the box; before that its tables must balance and afterwards nothing of it may be there.
box_down() {
    local status=0
    [ -n "${XENBOX:-}" ] || return 0
    if [ -z "$_failed" ] && ! xenbox check; then
        echo "FAIL: the box is not clean"
        xenbox dump || :
        status=1
    fi
    xenbox down "$BOX" >>"$SCRATCH/box.log" 2>&1 || status=1
    if [ -e "$XENBOX" ]; then
        echo "FAIL: left after xenbox down: $XENBOX"
        status=1
    fi
    unset XENBOX
    return $status
}

# guest_create [NAME]: a new domain; its number goes to $DOM.
guest_create() {
    DOM=$(xenbox domain create "${1:-guest}")
    say "domain $DOM"
}

# in_dom0 COMMAND..., in_guest DOMID COMMAND...: run inside the box.
in_dom0() {
    xenbox run -- "$@"
}
in_guest() {
    local domid=$1
    shift
    xenbox run -d "$domid" -- "$@"
}

# wait_store PATH REGEX: until the store's value matches, seen through a watch. Fails with what is there.
wait_store() {
    local value='' ready=
    while read -r _; do
        value=$(in_dom0 xenstore-read "$1" 2>/dev/null) || value='(no such node)'
        if [[ $value =~ ^($2)$ ]]; then
            ready=1
            break
        fi
    done < <(exec timeout "$DEADLINE" xenbox run -- xenstore-watch "$1")
    kill $! 2>/dev/null || :
    [ -n "$ready" ] || fail "$1 is '$value', expected '$2'"
}

# --- the daemon -----------------------------------------------------------------------------------------------------

# daemon_start [OPTION...]: xensplitd in dom0, ready when this returns. $DAEMON is its pid, $DAEMON_LOG its log, and
# DAEMON_WRAP a command that runs it, such as env. $XS_DAEMON_OPTIONS are options of every daemon, for a suite that is
# run in another way as a whole.
DAEMON_WRAP=()
daemon_start() {
    local ready
    DAEMON_LOG=$SCRATCH/xensplitd.log
    mkfifo "$SCRATCH/ready"
    # shellcheck disable=SC2086 # words on purpose
    xenbox run -- "${DAEMON_WRAP[@]}" xensplitd --run-dir "$SCRATCH/xensplit" --ready-fd 9 ${XS_DAEMON_OPTIONS:-} "$@" \
        9>"$SCRATCH/ready" 2>>"$DAEMON_LOG" &
    DAEMON=$!
    read -r -t "$DEADLINE" ready <"$SCRATCH/ready" || fail "xensplitd did not become ready"
    rm "$SCRATCH/ready"
    defer daemon_stop
}

# Ends it the polite way: it must drain and exit 0.
daemon_stop() {
    local status=0
    [ -n "${DAEMON:-}" ] || return 0
    kill -TERM "$DAEMON" 2>/dev/null || :
    wait_exit "$DAEMON" || {
        echo "FAIL: xensplitd does not stop"
        kill -KILL "$DAEMON"
    }
    wait "$DAEMON" || status=$?
    unset DAEMON
    [ $status = 0 ] || echo "FAIL: xensplitd ended with status $status"
    return $status
}

# Ends it the hard way.
daemon_kill() {
    kill -KILL "$DAEMON"
    wait "$DAEMON" 2>/dev/null || :
    unset DAEMON
}

# disk_attach DOMID KEY=VALUE...: plays the toolstack; $VDEV is the device number.
VDEV=51712
disk_attach() {
    local domid=$1
    shift
    xenbox attach "$domid" vbd vdev="$VDEV" "$@"
}

# image_make FILE MIB: a raw image of random bytes.
image_make() {
    head -c "$2"M /dev/urandom >"$1"
}
