# SPDX-License-Identifier: MIT
# What a case's guest() can use. Its output goes to the console, which dom0 reads.

fail() { echo "reason: $*"; exit 1; }
figure() { echo "figure: $*"; }

# until_true SECONDS COMMAND...: polls five times a second; for what has no event to wait for.
until_true() {
    tries=$(($1 * 5 * PATIENCE))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        usleep 200000
    done
}

# The devices of a program that speaks to Xen itself: store, grants, event channels.
xen_devices() {
    for module in xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs; do
        modprobe $module || fail "no module $module"
    done
    mount -t xenfs xenfs /proc/xen
}

# disk_verify_linux NAME: a file tree on the kernel's own frontend, with checksums after a remount, and fsck.
disk_verify_linux() {
    disk_wait "$1"
    mkfs.ext4 -q "/dev/$1"
    mount "/dev/$1" /mnt
    mkdir /mnt/tree
    cp -a /usr/bin /usr/lib/modules /mnt/tree/
    dd if=/dev/urandom of=/mnt/tree/random bs=1M count=8 2>/dev/null
    (cd /mnt/tree && find . -type f -exec sha256sum {} + > ../sums)
    sync
    umount /mnt
    e2fsck -f -n "/dev/$1"
    echo 3 > /proc/sys/vm/drop_caches
    mount -o ro "/dev/$1" /mnt
    (cd /mnt/tree && sha256sum -c ../sums > /tmp/checked) || fail "bytes differ after the remount"
    figure "$(wc -l < /tmp/checked) files, $(du -sm /mnt/tree | cut -f1) MiB, compared after a remount"
    umount /mnt
}

# disk_load NAME ROUNDS: three processes write ranges of their own with direct I/O and compare, round by round; the
# first says how far it is.
disk_load() {
    dd if=/dev/urandom of="/tmp/$1.pattern" bs=64k count=17 2>/dev/null
    disk_load_range "$1" 1 "$2" &
    second=$!
    disk_load_range "$1" 2 "$2" &
    third=$!
    disk_load_range "$1" 0 "$2"
    wait $second || fail "the second process found other bytes"
    wait $third || fail "the third process found other bytes"
}
disk_load_range() {
    round=0
    while [ $round -lt "$3" ]; do
        round=$((round + 1))
        # Each round has other bytes: the pattern from another place on.
        tail -c +$((round % 64 * 512 + 1)) "/tmp/$1.pattern" | head -c 1048576 > "/tmp/$1.$2"
        dd if="/tmp/$1.$2" of="/dev/$1" bs=64k seek=$(($2 * 16)) oflag=direct conv=notrunc 2>/dev/null ||
            fail "range $2, round $round: cannot write"
        dd if="/dev/$1" bs=64k skip=$(($2 * 16)) count=16 iflag=direct 2>/dev/null | cmp - "/tmp/$1.$2" ||
            fail "range $2, round $round: other bytes than were written"
        [ "$2" != 0 ] || echo "guest: round $round"
    done
}

# disk_verify_xenfront NAME: patterns and an image through our own frontend; its sum is told to dom0.
disk_verify_xenfront() {
    xen_devices
    xenfront blk info "$1"
    xenfront blk verify --size=16M "$1"
    dd if=/dev/urandom of=/tmp/image bs=1M count=8 2>/dev/null
    xenfront blk write --in=/tmp/image "$1"
    xenfront blk read --size=8M --out=/tmp/again "$1"
    cmp /tmp/image /tmp/again
    echo "sum: $(sha256sum < /tmp/image)"
}

# tools_mount: the programs of the tools disk as commands.
tools_mount() {
    modprobe -a xen-blkfront crc32c_generic ext4
    until_true 30 test -b /dev/xvdo || fail "no disk with tools"
    mkdir -p /tools
    mount -o ro /dev/xvdo /tools || fail "cannot mount the tools"
}
fio() { /tools/lib/ld-linux-x86-64.so.2 --library-path /tools/lib /tools/bin/fio "$@"; }
iperf3() { /tools/lib/ld-linux-x86-64.so.2 --library-path /tools/lib /tools/bin/iperf3 "$@"; }

# disk_wait NAME: Linux's own block frontend, and its disk; ext4 to put on it.
disk_wait() {
    modprobe -a xen-blkfront crc32c_generic ext4
    until_true 30 test -b "/dev/$1" || fail "no /dev/$1 after 30 s"
}

# net_up linux|xenfront: eth0 with the kernel's own frontend, or with ours joined to a TAP. The guest is 10.9.0.2.
net_up() {
    if [ "$1" = linux ]; then
        modprobe xen-netfront
    else
        xen_devices
        modprobe tun
        mkdir -p /dev/net
        [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
        xenfront net tap --tap=eth0 0 > /tmp/tap.log 2>&1 &
    fi
    # A kernel shows an interface in sysfs a moment before it can be found by its name.
    until_true 30 ip link set eth0 up || fail "no eth0: $(cat /tmp/tap.log 2>/dev/null)"
    ip addr add 10.9.0.2/24 dev eth0
}

# net_check: what dom0's net_check_dom0 talks to.
net_check() {
    mkfifo /tmp/hold # with an input at its end nc would close the connection
    nc -l -p 5001 <> /tmp/hold > /tmp/in &
    receiver=$!
    dd if=/dev/urandom of=/tmp/out bs=1M count=16 2>/dev/null
    echo "guest: net up"
    wait $receiver
    echo "sum-in: $(sha256sum < /tmp/in)"
    echo "guest: sends"
    until_true 30 send_out || fail "nobody takes what the guest sends"
    echo "sum-out: $(sha256sum < /tmp/out)"
}
send_out() { nc 10.9.0.1 5002 < /tmp/out; }
