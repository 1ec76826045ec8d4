# SPDX-License-Identifier: MIT
# helpers.sh: what the tests of the xenbox command share. Sourced after functions.sh.

# box_pid PART [BOX]: the process of the current box, or of one by name.
box_pid() {
    xenbox list --json | sed -n "/\"name\": \"${2:-$BOX}\"/,/}/s/.*\"$1\": \([0-9]*\).*/\1/p"
}

# box_state [BOX]: the state that `xenbox list` shows; nothing when it shows no such box.
box_state() {
    xenbox list --json | sed -n "/\"name\": \"${1:-$BOX}\"/,/}/s/.*\"state\": \"\(.*\)\".*/\1/p"
}

# is_gone PID: it has ended. A process that nobody waited for yet is dead all the same.
is_gone() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 0
    [ -z "$state" ] || [ "$state" = Z ]
}

# expect_gone PID...: until each of them has ended.
expect_gone() {
    local pid end=$((SECONDS + DEADLINE))
    for pid in "$@"; do
        until is_gone "$pid"; do
            [ $SECONDS -lt $end ] || fail "$pid is still there: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
            wait_exit "$pid" 0.05 || :
        done
    done
}

# expect_state BOX STATE: the box comes to be in this state.
expect_state() {
    local end=$((SECONDS + DEADLINE))
    until [ "$(box_state "$1")" = "$2" ]; do
        [ $SECONDS -lt $end ] || fail "box $1 is '$(box_state "$1")', expected '$2'"
    done
}

# expect_status STATUS COMMAND...
expect_status() {
    local expected=$1 status=0
    shift
    "$@" || status=$?
    [ $status = "$expected" ] || fail "ended with status $status, expected $expected: $*"
}

# expect_same FILE: standard input is what the file holds.
expect_same() {
    diff -u "$1" - || fail "$(basename "$1") is not what was expected"
}

# fake_backend KIND [STATE]: answers every new device of a kind in domain 0 with a state (2: InitWait) and a closing
# one with 6. $BACKEND is its pid.
fake_backend() {
    cat >"$SCRATCH/backend.sh" <<'EOF'
xenstore-watch "backend/$1" | while read -r path; do
    case $path in
    */state)
        case $(xenstore-read "$path" 2>/dev/null) in
        1) [ -z "$3" ] || xenstore-write "error/${path%/state}/error" "$3"
           xenstore-write "$path" "$2" ;;
        5) xenstore-write "$path" 6 ;;
        esac ;;
    esac
    echo "$path"
done
EOF
    rm -f "$SCRATCH/backend.log" # what the last one wrote says nothing about this one
    xenbox run -- bash "$SCRATCH/backend.sh" "$1" "${2:-2}" "${3:-}" >"$SCRATCH/backend.log" 2>&1 &
    BACKEND=$!
    wait_log "$SCRATCH/backend.log" "backend/$1" "$BACKEND"
    defer fake_backend_stop
}

fake_backend_stop() {
    local child
    [ -n "${BACKEND:-}" ] || return 0
    for child in $(ps -o pid= --ppid "$BACKEND"); do
        kill "$child" 2>/dev/null || :
    done
    kill "$BACKEND" 2>/dev/null || :
    wait "$BACKEND" 2>/dev/null || :
    unset BACKEND
}
