# SPDX-License-Identifier: MIT
# hostile.sh: what the tests of hostile frontends share: a box with a daemon, a good neighbour at work all the time,
# and an evil guest. Source it after functions.sh.

HOSTILE=$XS_BUILDDIR/tests/hostile/hostile

# neighbours_start: two guests with a disk each, served by different workers. The good one works until
# neighbours_stop, which fails when anything went wrong for it.
neighbours_start() {
    box_up
    daemon_start --workers 2
    image_make "$SCRATCH/good.img" 8
    image_make "$SCRATCH/evil.img" 8
    guest_create good
    GOOD=$DOM
    disk_attach "$GOOD" params="$SCRATCH/good.img" >/dev/null
    guest_create evil
    EVIL=$DOM
    EVIL_VDEV=$VDEV
    EVIL_KEYS=(params="$SCRATCH/evil.img" "$@")
    disk_attach "$EVIL" "${EVIL_KEYS[@]}" >/dev/null
    touch "$SCRATCH/working"
    good_works >"$SCRATCH/good.log" 2>&1 &
    GOOD_PID=$!
}

good_works() {
    while [ -e "$SCRATCH/working" ]; do
        in_guest "$GOOD" xenfront blk verify --quiet --size=8M "$VDEV" || return 1
    done
}

neighbours_stop() {
    rm "$SCRATCH/working"
    wait "$GOOD_PID" || fail "the neighbour noticed"
    xenbox detach "$GOOD" vbd "$VDEV"
    xenbox detach "$EVIL" vbd "$EVIL_VDEV"
}

# Another number for the evil guest's disk: what may be said in the log about a device does not begin anew with a connect.
evil_disk_renumber() {
    xenbox detach "$EVIL" vbd "$EVIL_VDEV"
    EVIL_VDEV=$((EVIL_VDEV + 16))
    VDEV=$EVIL_VDEV disk_attach "$EVIL" "${EVIL_KEYS[@]}" >/dev/null
}

# hostile CASE [REGEX]: the backend must do right. With REGEX it must say so in its log or, where it closes the
# device, in the error node.
hostile() {
    say "$1"
    [ -z "${2:-}" ] || evil_disk_renumber
    hostile_run "$1"
    [ -z "${2:-}" ] || { cat "$DAEMON_LOG"; error_node; } | grep -E -e "$2" >/dev/null || fail "$1: nothing said '$2'"
}

# refused CASE REGEX: the backend must close the device and say why in its error node; good keys work afterwards.
refused() {
    say "$1"
    hostile_run "$1"
    error_node | grep -q -E -e "$2" || fail "$1: the error node is '$(error_node)', expected '$2'"
    hostile_run recover
    [ -z "$(error_node)" ] || fail "$1: the error node stayed: $(error_node)"
}

hostile_run() {
    timeout $((4 * DEADLINE)) xenbox run -d "$EVIL" -- "$HOSTILE" "$EVIL_VDEV" "$1" || fail "$1: the backend did wrong"
    kill -0 "$DAEMON" || fail "$1: the daemon is gone"
}

error_node() {
    in_dom0 xenstore-read "error/backend/vbd/$EVIL/$EVIL_VDEV/error" 2>/dev/null || :
}
