# SPDX-License-Identifier: MIT
# attach and detach play xl: nodes, order, waiting, scripts; a device that fails leaves no node.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

box_up
guest_create guest
attachers=()
back=/local/domain/0/backend/vbd/$DOM/51712

# No node of a device is there, and the directories above are as they were.
expect_no_device() {
    ! in_dom0 xenstore-ls -f | grep -E '/(vbd|vif|qdisk)' || fail "nodes of a device are left"
}

say "without a backend"
expect_fail "vbd $DOM/51712: no backend answered within 1 s: is xensplitd running in domain 0" \
    xenbox attach guest vbd target=/x vdev=xvda --timeout 1
expect_no_device

say "interrupted while it waits"
xenbox attach guest vbd target=/x >"$SCRATCH/attach.log" 2>&1 &
pid=$!
wait_store $back/state 1
kill -TERM $pid
expect_status 1 wait $pid
grep -q "vbd $DOM/51712: interrupted" "$SCRATCH/attach.log" || fail "it said: $(cat "$SCRATCH/attach.log")"
expect_no_device

say "a store that stalls"
kill -STOP "$(box_pid xenstored)"
expect_fail 'does not answer within 5 s: is xenstored \(pid [0-9]+\) stopped' xenbox attach guest vbd target=/x
kill -CONT "$(box_pid xenstored)"

say "a backend that refuses"
fake_backend vbd 6 'no such disk'
expect_fail "vbd $DOM/51712: the backend refused: no such disk" xenbox attach guest vbd target=/x
fake_backend_stop
in_dom0 xenstore-ls -f error | grep -q 'no such disk' || fail "the reason is gone"
expect_fail "no backend answered within 1 s" xenbox attach guest vbd target=/x --timeout 1
expect_no_device

say "a backend that answers"
fake_backend vbd
[ "$(xenbox attach guest vbd target=/disk.img access=ro)" = 51712 ] || fail "the number is not printed"
[ "$(in_dom0 xenstore-read $back/params $back/mode $back/state | tr '\n' ' ')" = "/disk.img r 2 " ] || fail "nodes"
[ "$(in_guest guest xenstore-read device/vbd/51712/state)" = 1 ] || fail "the guest cannot read its node"
in_guest guest xenstore-write device/vbd/51712/state 3
expect_fail "has this device already" xenbox attach guest vbd target=/x vdev=xvda
[ "$(xenbox attach guest vbd target=/x)" = 51728 ] || fail "the second disk is not xvdb"
[ "$(xenbox attach guest vbd target=/x vdev=sda1)" = 2049 ] || fail "sda1"

say "several at once: each gets a name of its own"
for _ in {1..6}; do
    xenbox attach guest vbd target=/x >>"$SCRATCH/numbers" &
    attachers+=($!)
done
wait "${attachers[@]}"
[ "$(sort -u "$SCRATCH/numbers" | wc -l)" = 6 ] || fail "numbers: $(cat "$SCRATCH/numbers")"
for number in $(cat "$SCRATCH/numbers"); do
    xenbox detach guest vbd "$number"
done

say "the backend saw the nodes in xl's order"
grep -o "^backend/vbd/$DOM/51712/.*" "$SCRATCH/backend.log" | head -n 13 | sed 's,.*/,,' | tr '\n' ' ' >"$SCRATCH/order"
[ "$(cat "$SCRATCH/order")" = "frontend params frontend-id online removable bootable state dev type mode device-type \
discard-enable specification " ] || fail "order: $(cat "$SCRATCH/order")"

say "detach, by name and by number"
xenbox detach guest vbd xvda
xenbox detach guest vbd 51728
expect_fail "there is no such device" xenbox detach guest vbd xvda
[ "$(in_dom0 xenstore-list /local/domain/$DOM/device/vbd)" = 2049 ] || fail "the third disk was hit"
fake_backend_stop

say "a backend that does not close"
expect_fail "vbd $DOM/2049: the backend did not close it within 1 s and is in state 5" \
    xenbox detach guest vbd sda1 --timeout 1
[ "$(in_dom0 xenstore-read /local/domain/0/backend/vbd/$DOM/2049/online)" = 0 ] || fail "online is not 0"
xenbox detach guest vbd sda1 --timeout 1 --force
expect_no_device

say "a hotplug script"
fake_backend vbd
cat >"$SCRATCH/block-test" <<'EOF'
#!/bin/sh
echo "$@ $XENBUS_TYPE $XENBUS_BASE_PATH $XENBUS_PATH $(xenstore-read "$XENBUS_PATH/params")" >>"$(dirname "$0")/script.log"
case $1 in
add) xenstore-write "$XENBUS_PATH/hotplug-status" connected ;;
esac
EOF
chmod +x "$SCRATCH/block-test"
xenbox attach guest vbd target=any:thing script="$SCRATCH/block-test" >/dev/null
[ "$(in_dom0 xenstore-read $back/script $back/hotplug-status | tr '\n' ' ')" = "$SCRATCH/block-test connected " ] ||
    fail "the script did not run"
xenbox detach guest vbd xvda
expect_same "$SCRATCH/script.log" <<EOF
add vbd backend backend/vbd/$DOM/51712 any:thing
remove vbd backend backend/vbd/$DOM/51712 any:thing
EOF

say "scripts that fail"
printf '#!/bin/sh\nexit 3\n' >"$SCRATCH/block-bad"
printf '#!/bin/sh\nxenstore-write "$XENBUS_PATH/hotplug-error" "disk is wet"\n' >"$SCRATCH/block-silent"
chmod +x "$SCRATCH"/block-*
expect_fail 'the hotplug script .*/block-bad ended with status 3' \
    xenbox attach guest vbd target=/x script="$SCRATCH/block-bad"
expect_fail 'did not write hotplug-status=connected: disk is wet' \
    xenbox attach guest vbd target=/x script="$SCRATCH/block-silent" --timeout 1
expect_fail 'block-none cannot be run: No such file' xenbox attach guest vbd target=/x script="$SCRATCH/block-none"
fake_backend_stop
expect_no_device

say "a network interface, and QEMU's disk"
cat >"$SCRATCH/vif-test" <<'EOF'
#!/bin/sh
echo "$@ $vif" >>"$(dirname "$0")/vif.log"
xenstore-write "$XENBUS_PATH/hotplug-status" connected
EOF
chmod +x "$SCRATCH/vif-test"
fake_backend vif
[ "$(xenbox attach guest vif mac=00:16:3e:11:22:33 script="$SCRATCH/vif-test")" = 0 ] || fail "vif"
[ "$(xenbox attach guest vif)" = 1 ] || fail "second vif"
[ "$(in_dom0 xenstore-read backend/vif/$DOM/1/hotplug-status)" = connected ] || fail "the backend waits for a script"
xenbox detach guest vif 0
xenbox detach guest vif 1
expect_same "$SCRATCH/vif.log" <<EOF
online type_if=vif vif$DOM.0
offline type_if=vif vif$DOM.0
EOF
fake_backend_stop
fake_backend qdisk
xenbox attach guest qdisk target=/disk.qcow2 format=qcow2 >/dev/null
[ "$(in_dom0 xenstore-read backend/qdisk/$DOM/51712/params)" = qcow2:/disk.qcow2 ] || fail "params"
expect_fail "has this device already" xenbox attach guest vbd target=/x vdev=xvda

say "the domain goes, and its devices with it"
xenbox domain destroy guest
fake_backend_stop
expect_no_device
