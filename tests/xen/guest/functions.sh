# SPDX-License-Identifier: MIT
# What a case's guest() can use. Its output goes to the console, which dom0 reads.

fail() { echo "reason: $*"; exit 1; }
figure() { echo "figure: $*"; }

# until_true SECONDS COMMAND...: polls ten times a second; for what has no event to wait for.
until_true() {
    tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        usleep 100000
    done
}

# The devices of a program that speaks to Xen itself: store, grants, event channels.
xen_devices() {
    for module in xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs; do
        modprobe $module || fail "no module $module"
    done
    mount -t xenfs xenfs /proc/xen
}

# disk_wait NAME: Linux's own block frontend, and its disk; ext4 to put on it.
disk_wait() {
    modprobe -a xen-blkfront crc32c_generic ext4
    until_true 30 test -b "/dev/$1" || fail "no /dev/$1 after 30 s"
}
