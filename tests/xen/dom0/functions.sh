# SPDX-License-Identifier: MIT
# What a case's dom0() can use. A guest is named after its role ("guest" where there is one); its initramfs
# runs the same case file's guest() with the words that were given to guest_create.

fail() { echo "reason: $*"; exit 1; }
skip() { echo "reason: $*"; exit 77; }
figure() { echo "figure: $*"; } # shown with the result

# mark WORDS: where a case is, on dom0's console; it is shown when the machine hangs and is cut off.
mark() { echo "[$(cut -d' ' -f1 /proc/uptime)] case ${CASE:-}: $*" > /dev/console; }

# until_true SECONDS COMMAND...: polls twice a second; for what has no event to wait for.
until_true() {
    local tries=$(($1 * 2 * ${PATIENCE:-1}))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.5
    done
}

# guest_create NAME pv|pvh [LINE-OF-XL-CONFIG...]: creates and starts a domain. GUEST_WORDS go to its guest()
# .
guest_create() {
    local name=$1 type=$2
    shift 2
    : > "/var/log/xen/console/guest-$name.log"
    cat > "/run/case/$name.cfg" <<CONFIG
name = "$name"
type = "$type"
kernel = "/xen/vmlinux"
ramdisk = "/xen/guest.img"
extra = "console=hvc0 panic=5 loglevel=6 mitigations=off nowatchdog rcupdate.rcu_cpu_stall_suppress=1 xen_case=$CASE xen_patience=${PATIENCE:-1} xen_words=$(tr ' ' , <<<"${GUEST_WORDS:-}")"
memory = ${GUEST_MB:-192}
vcpus = 1
on_crash = "destroy"
on_poweroff = "destroy"
on_reboot = "${GUEST_REBOOT:-destroy}"
CONFIG
    [ $# = 0 ] || printf '%s\n' "$@" >> "/run/case/$name.cfg"
    mark "xl create $name, $type ${GUEST_WORDS:-}"
    xl create -q "/run/case/$name.cfg"
}

guest_id() { xl domid "$1" 2>/dev/null; }
guest_console() { tr -d '\r' < "/var/log/xen/console/guest-$1.log"; }
guest_said() { guest_console "$1" | grep -q -- "$2"; }
guest_gone() { ! guest_id "$1"; }

# guest_expect NAME SECONDS PATTERN: waits until the guest's console shows a line that matches. It is grep that waits:
# looking again and again costs an emulated processor more than most guests do.
guest_expect() {
    local pattern=$3 tries=$(($2 * 2 * ${PATIENCE:-1})) grep
    mark "waits for guest $1: $3"
    [[ $pattern != *\$ ]] || pattern=${pattern%\$}$'\r*$'
    grep -q -m 1 -e "$pattern" < <(exec tail --pid=$$ -n +1 -f "/var/log/xen/console/guest-$1.log" 2>/dev/null) &
    grep=$!
    while kill -0 $grep 2>/dev/null; do
        sleep 0.5
        tries=$((tries - 1))
        [ $((tries % 20)) != 0 ] || ! guest_gone "$1" || guest_said "$1" "$3" || fail "guest $1 is gone and never said '$3'"
        [ $tries -gt 0 ] || fail "guest $1 did not say '$3' within $2 s"
    done
    wait $grep || fail "guest $1: its console cannot be read"
}

# guest_finish NAME SECONDS: waits for the end of guest() and of its domain; fails when guest() did.
guest_finish() {
    guest_expect "$1" "$2" '^guest: over '
    guest_console "$1" | sed -n '/^guest: up/,$p' | grep -v '^\[' || true
    guest_said "$1" '^guest: over 0' || fail "guest $1: $(guest_console "$1" |
        sed -n 's/^reason: //p; s/^guest: over/guest() ended with status/p' | head -n 1)"
    until_true 60 guest_gone "$1" || fail "domain $1 does not go away after its power-off"
}

# grants_pinned [DOMID]: the grants of a domain, or of all, that are mapped or copied just now, one a line, but for
# those of a guest's console and store, which dom0's daemons hold as long as it lives. Nothing printed: none.
grants_pinned() {
    xl debug-keys g
    xl dmesg | sed -n 's/^(XEN) //p' | awk -v wanted="$1" '
        /key .g. pressed/ { delete line; lines = 0 }
        /grant-table for remote/ { domain = $4; sub("d", "", domain) }
        /^ *\[0x/ && (wanted == "" || domain == wanted) && !(domain != 0 && /\[0x00[01]\]/) {
            line[lines++] = "domain " domain ": grant " $0
        }
        END { for (i = 0; i < lines; i++) print line[i] }'
}
grants_are_free() { [ -z "$(grants_pinned "$1")" ]; }

# disk_folder: mounts the machine's virtual disk, where files take O_DIRECT, on /disk.
disk_folder() {
    mkfs.ext4 -q -F /dev/vda
    mkdir -p /disk
    mount /dev/vda /disk
}

# daemon_start [OPTION...]: xensplitd, as the systemd unit starts it; returns when it serves devices.
daemon_start() {
    mark "xensplitd $*"
    mkdir -p /run/xensplit
    xensplitd --on-exit=keep --log-time=on --ready-fd=9 "$@" 9>/run/case/ready 2>>/run/case/xensplitd.log &
    DAEMON=$!
    echo $DAEMON > /run/case/xensplitd.pid
    until_true 20 grep -q ready /run/case/ready || fail "xensplitd did not become ready"
}

# daemon_kill: ends it without a warning. Whatever it was at, no grant of a guest is left pinned.
daemon_kill() {
    kill -KILL "$DAEMON"
    wait "$DAEMON" || true
    : > /run/case/ready
    until_true 20 grants_are_free || fail "pinned after the daemon's death: $(grants_pinned | head -n 3)"
}

# tools_line [XL-WORDS]: the disk with more programs, for a guest's tools_mount, as xvdo.
tools_line() { disk_line xvdo /dev/vdc access=ro; }

# tools_mount: the same programs as commands of dom0's.
tools_mount() {
    local program tools=/run/case/tools
    mkdir -p $tools /run/case/bin
    mount -o ro /dev/vdc $tools
    for program in $tools/bin/*; do
        printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' $tools/lib/ld-linux-x86-64.so.2 $tools/lib "$program" \
            > "/run/case/bin/${program##*/}"
    done
    chmod +x /run/case/bin/*
    PATH=/run/case/bin:$PATH
}

daemon_said() { grep -q -- "$1" /run/case/xensplitd.log; }

# disk_line NAME TARGET [KEY=VALUE...]: the words of a disk for xl.
disk_line() {
    local line="vdev=$1,format=raw,access=rw,script=block-xensplit" target=$2
    shift 2
    [ $# = 0 ] || line=$(printf '%s' "$line"; printf ',%s' "$@")
    echo "$line,target=$target"
}

# backend_start, backend_stop, backend_line BACKEND [VDEV FILE]: what serves a guest's disk, for cases that compare.
backend_start() {
    case $1 in
    blkback | netback) modprobe "xen-$1" ;;
    xensplit) daemon_start "${@:2}" ;;
    esac
}
backend_stop() {
    case $1 in
    blkback | netback) until_true 20 modprobe -r "xen-$1" ;;
    xensplit) daemon_kill ;;
    esac
}
backend_line() {
    case $1 in
    blkback) echo "vdev=$2,format=raw,access=${4:-rw},target=$3" ;;
    qdisk) echo "vdev=$2,format=raw,access=${4:-rw},backendtype=qdisk,target=$3" ;;
    xensplit) disk_line "$2" "$3" "access=${4:-rw}" ;;
    esac
}

# disk_check_linux IMAGE, disk_check_xenfront IMAGE: dom0 finds what the guest's disk_verify_... left.
disk_check_linux() {
    e2fsck -f -n "$1"
    mkdir -p /run/case/mnt
    mount -o ro,loop "$1" /run/case/mnt
    (cd /run/case/mnt/tree && sha256sum -c --quiet ../sums) || fail "dom0 finds other bytes than the guest wrote"
    umount /run/case/mnt
}
disk_check_xenfront() {
    local sum
    sum=$(guest_console guest | sed -n 's/^sum: //p')
    [ "$(head -c 8388608 "$1" | sha256sum)" = "$sum" ] || fail "dom0 finds other bytes than the guest wrote"
}

# store_is_clean: no device is left, and none was made again.
store_is_clean() {
    [ -z "$(xenstore-ls -f /local/domain/0/backend 2>/dev/null | grep -E '/(vbd|vif|qdisk)/[0-9]+/')" ]
}

# background NAME COMMAND...: starts a process that ends with the case; its output is in /run/case/NAME.log, its input that
# of the call.
background() {
    local name=$1
    shift
    "$@" <&0 > "/run/case/$name.log" 2>&1 & # without <&0 the shell would take /dev/null
    echo $! > "/run/case/$name.pid"
}

# bridge_up: a bridge for the guests' interfaces, as vif-bridge wants it; dom0 is 10.9.0.1 there.
bridge_up() {
    modprobe -a bridge tun
    ip link add xenbr0 type bridge
    ip addr add 10.9.0.1/24 dev xenbr0
    ip link set xenbr0 up
}

# net_check_dom0 NAME: the other half of a guest's net_check: pings, and bulk both ways with the same bytes at both ends.
net_check_dom0() {
    local start sum
    guest_expect "$1" 90 '^guest: net up'
    ping -c 5 -W 5 10.9.0.2 | tee /run/case/ping.log
    grep -q ' 0% packet loss' /run/case/ping.log || fail "$1: pings are lost: $(tail -n 2 /run/case/ping.log)"
    dd if=/dev/urandom of=/run/case/to-guest bs=1M count=16 2>/dev/null
    start=$(date +%s%N)
    nc 10.9.0.2 5001 < /run/case/to-guest
    figure "$1: to the guest $((16 * 1048576 / (($(date +%s%N) - start) / 1000 + 1))) MB/s"
    sum=$(sha256sum < /run/case/to-guest)
    guest_expect "$1" 90 '^sum-in: '
    [ "$(guest_console "$1" | sed -n 's/^sum-in: //p')" = "$sum" ] || fail "$1: the guest got other bytes"
    mkfifo /run/case/nc.hold # with an input at its end nc would close the connection
    nc -l -p 5002 <> /run/case/nc.hold > /run/case/from-guest &
    echo $! > /run/case/nc.pid
    guest_expect "$1" 90 '^guest: sends'
    start=$(date +%s%N)
    until_true 90 nc_is_over || fail "$1: the guest's bytes do not come to an end"
    figure "$1: from the guest $((16 * 1048576 / (($(date +%s%N) - start) / 1000 + 1))) MB/s"
    guest_expect "$1" 90 '^sum-out: '
    sum=$(sha256sum < /run/case/from-guest)
    rm /run/case/nc.hold /run/case/nc.pid
    [ "$(guest_console "$1" | sed -n 's/^sum-out: //p')" = "$sum" ] || fail "$1: dom0 got other bytes"
}
nc_is_over() { ! kill -0 "$(cat /run/case/nc.pid)"; }
