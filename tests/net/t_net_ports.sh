#!/bin/bash
# SPDX-License-Identifier: MIT
# The ports of an interface: what cannot be made is refused with a reason that names device, port, expected and found;
# what was there before stays; what is ours goes; what goes away under the device closes it.
. "$(dirname "$0")/../net.sh"
need setpriv

# refused REGEX KEY=VALUE...: attaching fails, and the log says why.
refused() {
    local regex=$1
    shift
    say "refused: $*"
    expect_fail "" xenbox attach --timeout "$DEADLINE" "$DOM" vif devid=3 "$@"
    grep -q -E -e "error: vif $DOM/3: $regex" "$DAEMON_LOG" || fail "the log does not say '$regex'"
}

box_up
daemon_start --workers 1
guest_create

refused "backend/vif/$DOM/3/port: expected tap, tap:NAME, null, .*, found bridge:br0" port=bridge:br0
refused "port: expected tap:NAME with the name of an interface, found \"tap:a/b\"" port=tap:a/b
refused "port: expected tap:NAME .*, found \"tap:sixteen-letters-\"" port=tap:sixteen-letters-
refused "port: expected null without anything behind it" port=null:64
refused "port: expected generator:BYTES with 60 to 9014 bytes, found \"generator:9015\"" port=generator:9015
refused "port: expected socket:PATH with an absolute path" port=socket:wire
refused "port socket:$SCRATCH/none: expected a stream socket that takes connections: No such file" "port=socket:$SCRATCH/none"
refused "backend/vif/$DOM/3/mtu: expected an MTU from 68 to 65521 bytes, found 67" port=null mtu=67
refused "backend/vif/$DOM/3/mtu: expected an MTU from 68 to 65521 bytes, found 65522" port=null mtu=65522

ip link add dummy9 type dummy 2>/dev/null || ip link add dummy9 type veth peer name dummy8
refused "port tap:dummy9: expected a free name or a TAP interface with one queue, found another" port=tap:dummy9
xenbox attach "$DOM" vif devid=4 port=tap:taken >/dev/null
refused "port tap:taken: expected a free name or a TAP interface that nobody uses, found one that is in use" port=tap:taken
xenbox detach "$DOM" vif 4
wait_no_link taken "an interface that was ours stayed"

say "what was there stays"
ip tuntap add keep9 mode tap
xenbox attach "$DOM" vif devid=4 port=tap:keep9 mtu=9000 >/dev/null
ip link show keep9 | grep -q "mtu 9000"
in_dom0 xensplit --run-dir "$SCRATCH/xensplit" list | grep -q "^vif $DOM/4 .* 9000  tap:keep9$"
xenbox detach "$DOM" vif 4
ip link show keep9 >/dev/null || fail "an interface that was not ours went"

say "an interface that is deleted under its device"
guest_net_start
vif_attach
tap_start
host_up 1500
wait_ping
ip link del "vif$DOM.0"
wait_log "$DAEMON_LOG" "error: vif $DOM/0: port tap:vif$DOM.0: expected frames, found that it is gone"
wait "$TAP" 2>/dev/null || :
xenbox detach "$DOM" vif 0 >/dev/null

say "frames without end, of which the guest can take none"
xenbox attach "$DOM" vif devid=6 port=generator:9014 >/dev/null
in_guest "$DOM" timeout "$DEADLINE" xenfront net info --no-sg 6 >/dev/null || fail "the worker came to nothing else"
xenbox detach "$DOM" vif 6 >/dev/null

say "a hotplug script that takes its time"
xenbox attach "$DOM" vif devid=5 port=null >/dev/null
in_dom0 xenstore-write "backend/vif/$DOM/5/hotplug-status" ""
in_guest "$DOM" xenfront net info --json 5 >"$SCRATCH/info.log" 2>&1 &
INFO=$!
wait_store "/local/domain/$DOM/device/vif/5/state" 4
in_dom0 xensplit --run-dir "$SCRATCH/xensplit" why "vif $DOM/5" | grep -q "wait_reason .*hotplug-status is awaited"
[ "$(in_dom0 xenstore-read "backend/vif/$DOM/5/state")" = 2 ] || fail "it did not wait for its script"
in_dom0 xenstore-write "backend/vif/$DOM/5/hotplug-status" connected
wait $INFO || fail "it did not connect after its script"
xenbox detach "$DOM" vif 5 >/dev/null

say "without the right to make interfaces"
daemon_stop
DAEMON_WRAP=(setpriv --bounding-set=-net_admin)
daemon_start --workers 1
refused "port tap:vif$DOM.3: the right to make it is missing \(CAP_NET_ADMIN, .*\): Operation not permitted"
