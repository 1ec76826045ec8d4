# SPDX-License-Identifier: MIT
# net.sh: what the tests of network devices share. Source it instead of functions.sh: the test then runs in a network
# namespace of its own, which is the host's (domain 0's); guest_net_start makes another one, the guest's. As an
# ordinary user both are in a user namespace.

if [ -z "${XS_NET_NAMESPACE:-}" ]; then
    for _flags in -n -Urn; do
        unshare $_flags true 2>/dev/null || continue
        export XS_NET_NAMESPACE=1
        exec unshare $_flags "$BASH" "$0" "$@"
    done
fi

. "$XS_SRCDIR/tests/functions.sh"

[ -n "${XS_NET_NAMESPACE:-}" ] || skip "network namespaces are not permitted here"
[ -w /dev/net/tun ] || skip "no TUN device here"
need ip
ip link set lo up

HOST_IP=192.0.2.1
GUEST_IP=192.0.2.2
HOST_IP6=fd00:2::1
GUEST_IP6=fd00:2::2
MAC=00:16:3e:00:00:01

# guest_net_start: the guest's network namespace; guest_ns COMMAND... runs in it.
guest_net_start() {
    unshare -n sleep infinity &
    GUEST_NS=$!
    defer kill_wait "$GUEST_NS"
    # Until it is another one than ours.
    while [ "$(readlink /proc/$GUEST_NS/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do
        kill -0 "$GUEST_NS"
    done
    guest_ns ip link set lo up
}
guest_ns() {
    nsenter -t "$GUEST_NS" -n -- "$@"
}

# kill_wait PID [SIGNAL]: ends a job of this shell.
kill_wait() {
    kill -s "${2:-TERM}" "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || :
}

# vif_attach [KEY=VALUE...]: a network device of guest $DOM; its TAP device in the host's namespace is vif$DOM.0.
vif_attach() {
    xenbox attach "$DOM" vif devid=0 mac="$MAC" "$@" >/dev/null
}

# host_up MTU: the host's end of the device.
host_up() {
    ip link set "vif$DOM.0" up mtu "$1"
    ip addr replace "$HOST_IP/24" dev "vif$DOM.0"
    ip -6 addr replace "$HOST_IP6/64" dev "vif$DOM.0" nodad
}

# wait_no_link NAME WHAT: until there is no such interface; it goes after the nodes of its device.
wait_no_link() {
    local i
    for ((i = 0; i < 50 * DEADLINE; i++)); do
        ip link show "$1" >/dev/null 2>&1 || return 0
        read -r -t 0.02 <> <(:) || :
    done
    fail "$2"
}

# tap_start [OPTION...]: joins the guest's namespace to its device: eth0 there. $TAP is the process.
tap_start() {
    nsenter -t "$GUEST_NS" -n -- xenbox run -d "$DOM" -- xenfront net tap --tap=eth0 "$@" 0 >>"$SCRATCH/tap.log" 2>&1 &
    TAP=$!
    # It makes the device when it is connected.
    until guest_ns ip link show eth0 up 2>/dev/null | grep -q .; do
        kill -0 "$TAP" || fail "xenfront net tap ended: $(cat "$SCRATCH/tap.log")"
    done
    guest_ns ip addr replace "$GUEST_IP/24" dev eth0
    guest_ns ip -6 addr replace "$GUEST_IP6/64" dev eth0 nodad
}

# tap_stop: ends it the polite way: the device is closed, and the status is 0.
tap_stop() {
    local status=0
    kill -TERM "$TAP"
    wait "$TAP" || status=$?
    [ $status = 0 ] || fail "xenfront net tap ended with $status: $(cat "$SCRATCH/tap.log")"
}

# vif_up [MTU [TAP-OPTION...]]: all of it: box, daemon, guest, device, both ends with addresses.
vif_up() {
    local mtu=${1:-1500}
    shift || :
    box_up
    daemon_start
    guest_net_start
    guest_create
    vif_attach mtu="$mtu"
    tap_start "$@"
    host_up "$mtu"
    wait_ping
}

# wait_ping: until the two ends reach each other.
wait_ping() {
    local i
    for ((i = 0; i < DEADLINE; i++)); do
        ! guest_ns ping -n -q -c 1 -W 1 "$HOST_IP" >/dev/null 2>&1 || return 0
    done
    fail "the guest does not reach the host"
}

vif_down() {
    tap_stop
    xenbox detach "$DOM" vif 0
}
