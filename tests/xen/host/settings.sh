# SPDX-License-Identifier: MIT
# What the machine under test is made of, and how big and how patient it is. Sourced by run and shell; every
# value can be overridden from the environment.

: "${XEN_CACHE:=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xensplit-xen}"
# Per source tree, so that two trees can be tested at a time.
: "${XEN_WORK:=$XEN_CACHE/work-$(cksum <<<"$TOP" | cut -d" " -f1)}"
: "${XEN_BUILD:=}" # a finished, unsanitized build to install from; empty: make one in XEN_WORK

# The virtual machine. One processor: with two, a busy host slows emulated spin locks down several times.
: "${XEN_CPUS:=1}"
: "${XEN_MEMORY_MB:=4096}"
# How many of them share the cases: one a processor of the host, as far as its memory goes.
: "${XEN_MACHINES:=$(awk -v cpus="$(nproc)" -v mb=$XEN_MEMORY_MB '/^MemAvailable/ {
    fit = int($2 / 1024 / (mb + 1024)); print fit < 1 ? 1 : fit < cpus ? fit : cpus }' /proc/meminfo)}"
: "${XEN_DOM0_MB:=1536}"
: "${XEN_DISK_MB:=1024}"

# Xen needs an emulated processor without SMAP (dom0 dies early) and without RDTSCP (PVH guests hang).
XEN_CPU_MODEL=max,-smap,-rdtscp,-pku

# Without eager-fpu, lazily switched FPU state corrupts user processes under QEMU's emulation. What protects from a real
# processor's speculation costs an emulated one time for nothing.
XEN_OPTIONS="spec-ctrl=eager-fpu,bti-thunk=jmp,rsb=no com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all \
conring_size=512k dom0_mem=${XEN_DOM0_MB}M,max:${XEN_DOM0_MB}M dom0_max_vcpus=$XEN_CPUS"
: "${XEN_OPTIONS_MORE:=}"

# All time limits are multiplied by this: an emulated processor gets little of a host that is busy, and one that is idle
# now may not stay so. What hangs is seen after minutes; what works never waits for a limit.
: "${XEN_PATIENCE:=$(awk -v cpus="$(nproc)" '{ print 4 + int($1 / cpus) }' /proc/loadavg)}"

# Stock xl has limits of its own (10 s for a backend, 40 s for a script) that nobody can raise. A case that fails while
# the machine got less than this much of a processor, in percent, proves nothing: it is run once more.
: "${XEN_SHARE:=50}"

# A host that is busy keeps an emulated processor waiting for many seconds: no fault of the kernel in it, whose
# watchdogs would say so. What really hangs meets the time limits.
XEN_KERNEL_OPTIONS="mitigations=off nowatchdog rcupdate.rcu_cpu_stall_suppress=1 sysctl.kernel.hung_task_timeout_secs=0"

# How often a bench compares its backends, one right after the other; the figures are medians over the rounds.
: "${XEN_BENCH_ROUNDS:=2}"

# Seconds until dom0 must have reported, and how much later than dom0 the host gives up on a case; time that the machine
# waits for a processor of the host is not counted.
XEN_BOOT_LIMIT=$((240 * XEN_PATIENCE))
XEN_CASE_GRACE=$((60 * XEN_PATIENCE))

# What dom0 consists of: these Debian packages and all they depend on, less what matches the second list. They
# are unpacked into an image and never installed.
XEN_PACKAGES="xen-system-amd64 linux-image-amd64 qemu-system-xen bash coreutils util-linux mount kmod iproute2
busybox-static e2fsprogs strace"
XEN_PACKAGES_UNWANTED='^(gcc-|perl|python|libpython|mawk|base-files|tar$|dpkg|debconf|debianutils|libpam|passwd
|adduser|cpio|udev|ucf|sysvinit|init-|initramfs|libklibc|klibc|iso-codes|ipxe|seabios|linux-base
|linux-image-amd64|media-types|readline-common|sensible|libsqlite|libsema|libsepol|libnsl
|xen-hypervisor-common|xen-system)'
XEN_PACKAGES_UNWANTED=${XEN_PACKAGES_UNWANTED//$'\n'/}

# The programs on the disk of tools (host/tools.sh) and where they come from.
XEN_TOOLS_PACKAGES="fio iperf3"
XEN_TOOLS_PROGRAMS="/usr/bin/fio /usr/bin/iperf3"
XEN_TOOLS_UNWANTED='^(systemd|libsystemd-shared|dmsetup|libdevmapper-event|login|mount|util-linux|bash|coreutils|dash
|diffutils|findutils|grep|gzip|hostname|ncurses|sed|libc-bin|e2fsprogs|logsave|ca-certificates|openssl)'
XEN_TOOLS_UNWANTED=${XEN_TOOLS_UNWANTED//$'\n'/}

# Test programs, as targets of the build; they go to /usr/bin.
: "${XEN_TEST_PROGRAMS=tests/xen/xencheck tests/regress/regress}"

# Kernel modules, with their dependencies. The guests' list is what a frontend may need, nothing of backends.
XEN_DOM0_MODULES="xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-netback virtio_pci
virtio_blk virtio_console loop tun bridge ext4 crc32c_generic"
XEN_GUEST_MODULES="xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkfront xen-netfront loop
tun ext4 crc32c_generic"

# Programs of dom0 that a guest has too, beside busybox and our own.
XEN_GUEST_PROGRAMS="mkfs.ext4 e2fsck blkdiscard xenstore-read xenstore-write xenstore-ls xenstore-watch"

# What the host itself needs to fetch, build and boot.
XEN_HOST_PACKAGES="$PACKAGES_BUILD qemu-system-x86 cpio zstd xz-utils e2fsprogs"
