#!/bin/bash
# SPDX-License-Identifier: MIT
# passt at the other end of a device's port: an unprivileged user's network. The guest gets its address from it by DHCP,
# and fetches a file from a server of the host through it; and so it does again when passt has ended and come back.
. "$(dirname "$0")/../net.sh"
need passt busybox ping

# The address of the gateway is the loopback address of the host to it. passt takes what it gives away from a namespace with a route out.
ip link add uplink type dummy 2>/dev/null || ip tuntap add dev uplink mode tap
ip link set uplink up
ip addr add 198.51.100.2/24 dev uplink
ip route add default via 198.51.100.1 dev uplink

mkdir -p "$SCRATCH/passt" "$SCRATCH/www"
chmod 711 "$SCRATCH"
chmod 777 "$SCRATCH/passt"
head -c 20M /dev/urandom >"$SCRATCH/www/file"
busybox httpd -f -p 127.0.0.1:8080 -h "$SCRATCH/www" &
defer kill_wait $!
passt_start() {
    local i
    rm -f "$SCRATCH/passt/socket"
    passt --foreground --socket "$SCRATCH/passt/socket" --pid "$SCRATCH/passt/pid" >>"$SCRATCH/passt.log" 2>&1 &
    PASST=$!
    defer kill_wait $PASST
    for ((i = 0; i < 100 * DEADLINE; i++)); do
        [ ! -S "$SCRATCH/passt/socket" ] || break
        kill -0 $PASST 2>/dev/null || fail "passt ended: $(cat "$SCRATCH/passt.log")"
        read -r -t 0.01 <> <(:) || :
    done
}
passt_start

box_up
daemon_start
guest_net_start
guest_create
vif_attach port=socket:"$SCRATCH/passt/socket"
tap_start
guest_ns ip addr flush dev eth0

cat >"$SCRATCH/udhcpc" <<'SCRIPT'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
ip route add default via "${router%% *}" dev "$interface"
SCRIPT
chmod +x "$SCRATCH/udhcpc"
guest_ns busybox udhcpc -i eth0 -q -n -t 20 -T 1 -s "$SCRATCH/udhcpc" >"$SCRATCH/dhcp.log" 2>&1 ||
    fail "no address: $(cat "$SCRATCH/dhcp.log")"
say "$(guest_ns ip -br addr show dev eth0)"
gateway=$(guest_ns ip route show default | awk '{ print $3 }')
fetch() {
    local i
    rm -f "$SCRATCH/got"
    for ((i = 0; i < 5; i++)); do
        ! guest_ns timeout 30 busybox wget -q -O "$SCRATCH/got" "http://$gateway:8080/file" || break
    done
    cmp "$SCRATCH/www/file" "$SCRATCH/got" || fail "the file differs"
    say "20 MB through passt, equal"
}
fetch

say "passt ends and comes again"
carrier=/local/domain/0/backend/vif/$DOM/0/carrier
kill_wait $PASST
wait_store "$carrier" 0
guest_ns ip link show eth0 | grep -q "NO-CARRIER" || fail "the guest does not see it"
passt_start
wait_store "$carrier" 1
fetch
vif_down
