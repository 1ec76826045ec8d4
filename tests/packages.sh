# SPDX-License-Identifier: MIT
# packages.sh: which Debian 12 packages building, running and testing need, and how they get there. Sourced by
# ./check, ./demo and .ci/run; POSIX shell, because it runs before anything was installed. It never installs a
# hypervisor: recommended packages are left out, and none of the packages below depends on one.

PACKAGES_BUILD="gcc libc6-dev make autoconf automake libtool pkg-config
    libxen-dev libevent-dev liburing-dev libaio-dev libjansson-dev"
# Running a box: Debian's xenstored and its clients; mke2fs and e2fsck make and judge the images; ip, ping, iperf3 and
# busybox (its httpd and wget) make and load a network.
PACKAGES_RUN="xen-utils-4.17 xenstore-utils e2fsprogs procps util-linux
    iproute2 iputils-ping iperf3 busybox"
# Judging: unit tests, a second compiler, and the programs of others that tests/interop/ and tests/bench/ meet.
PACKAGES_TEST="libcmocka-dev clang libclang-rt-14-dev xz-utils qemu-system-xen qemu-system-common
    jq tshark tcpdump passt socat ethtool"

# Those of the named packages that are not installed, on one line.
packages_missing() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :) in
        installed) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# Installs what is missing of the named packages. Not root: says what to do and fails.
packages_ensure() {
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    command="apt-get install -y --no-install-recommends $missing"
    if [ "$(id -u)" != 0 ]; then
        printf 'These Debian packages are missing. Install them as root, then start again:\n\n    %s\n\n' \
            "apt-get update && $command" >&2
        return 1
    fi
    # Two at once: the second waits, and then finds everything there.
    (
        flock 8
        missing=$(packages_missing "$@")
        [ -n "$missing" ] || exit 0
        printf 'Installing what is missing: %s\n' "$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q update >/dev/null ||
            printf 'apt-get update failed; trying with the package lists that are there\n' >&2
        # shellcheck disable=SC2086 # a list of words on purpose
        apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $missing </dev/null 8>&-
    ) 8>/run/xensplit-packages.lock || {
        printf 'cannot install: %s\n' "$missing" >&2
        return 1
    }
}
