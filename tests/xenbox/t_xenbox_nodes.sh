# SPDX-License-Identifier: MIT
# attach writes every node that xl writes, with the same value and the same permissions: compared with what was recorded
# on a real Xen 4.17 (xl-nodes: a disk of domain 2 and an interface of domain 3, when their backends were in state 2 and
# the hotplug scripts had run).
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

cat >"$SCRATCH/script" <<'EOS'
#!/bin/sh
case $1 in
add | online) xenstore-write "$XENBUS_PATH/hotplug-status" connected ;;
esac
EOS
chmod +x "$SCRATCH/script"

box_up
guest_create first
guest_create second
guest_create third
[ "$DOM" = 3 ] || fail "the domains are not numbered from 1"
fake_backend vbd
xenbox attach second vbd target=any:thing script="$SCRATCH/script"
fake_backend_stop
fake_backend vif
xenbox attach third vif mac=00:16:3e:11:22:33 script="$SCRATCH/script"
fake_backend_stop

in_dom0 xenstore-ls -fp | grep -E '/(backend|device)/(vbd|vif)' | sed -E "s/ +\(/ (/; s,$SCRATCH/script,SCRIPT," |
    LC_ALL=C sort >"$SCRATCH/nodes"
LC_ALL=C sort "$(dirname "$0")/xl-nodes" | expect_same "$SCRATCH/nodes"
