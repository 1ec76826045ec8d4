# SPDX-License-Identifier: MIT
# Goes through /xen/list: runs each case with its time limit, cleans up after it, and reports over the serial port
# named "results" (host/machine.sh says how). Whatever a case is about, it fails when the kernel or Xen complained
# meanwhile, and when a domain or a pinned grant is left after its clean-up.

. /xen/functions.sh
for name in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$name")" = results ] && port=/dev/$(basename "$(dirname "$name")")
done
exec 3>"$port"

case_word() { sed -n 's/^# xen: //p' "/xen/cases/$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }

# What the case left behind goes away: domains, the daemon, files, modules of the kernel's backends.
case_clean() {
    local id pid folder
    for id in $(xl list | awk 'NR > 1 && $2 != 0 { print $2 }'); do
        xl destroy "$id"
    done
    for pid in /run/case/*.pid; do
        [ -e "$pid" ] && kill -KILL "$(cat "$pid")"
    done
    until_true 20 modprobe -r xen-blkback xen-netback
    for folder in /var/tmp /run/case/mnt /run/case/tools /disk; do
        until_true 20 is_not_mounted $folder
    done
    ip link del xenbr0
    rm -rf /run/case /run/xensplit /tmp/*
    xenstore-rm /local/domain/0/backend
} >/dev/null 2>&1

is_not_mounted() { ! mountpoint -q "$1" || umount "$1"; }

# What to look at after a failure.
case_autopsy() {
    echo "-- domains" && xl list
    echo "-- store" && xenstore-ls -f /local/domain/0/backend
    for log in /var/log/xen/console/guest-*.log /var/log/xen/xl-*.log /run/case/*.log; do
        [ -s "$log" ] && echo "-- $log" && tail -n 40 "$log"
    done
    echo "-- dmesg" && dmesg | tail -n 20
}

# Complaints of the kernel, of processes that crashed, and of Xen since the case began; nothing printed is good.
kernel_complaints() {
    dmesg | grep -v 'soft lockup' | # the host is busy: host/settings.sh
        grep -E 'Bad page|BUG|WARNING:|Oops|segfault|general protection|hung task|Call Trace|grant still in use'
    xl dmesg | grep -E '\(XEN\).*(BUG|WARN|Assertion|Bad|[Pp]inned)'
}

# What is left after the clean-up, when it had the time that a domain needs to go.
leftovers() {
    until_true 20 nothing_is_left && return
    xl list | awk 'NR > 1 && $2 != 0 { print "domain " $2 " is left, in state " $5 }'
    grants_pinned
}
nothing_is_left() { [ "$(xl list | wc -l)" = 2 ] && [ -z "$(grants_pinned)" ]; }

PATIENCE=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^xen_patience=//p')
export PATIENCE

printf 'up\n' >&3
while read -r case; do
    limit=$(case_word "$case" limit)
    limit=$((${limit:-120} * PATIENCE))
    printf 'begin %s %s\n' "$case" "$limit" >&3
    CASE=$case mark begins
    mkdir -p /run/case
    dmesg -C
    xl dmesg -c >/dev/null
    start=$SECONDS
    timeout -k 5 "$limit" /xen/case.sh "$case" >/run/case.log 2>&1 </dev/null
    status=$?
    reason=$(sed -n 's/^reason: //p' /run/case.log | tail -n 1)
    complaints=$(kernel_complaints)
    case $status in
    0) result=pass ;;
    77) result=skip ;;
    124 | 137) result=fail reason="over its limit of $limit s" ;;
    *) result=fail reason=${reason:-"exit status $status"} ;;
    esac
    if [ -n "$complaints" ] && [ "$(case_word "$case" complaints)" != expected ]; then
        result=fail reason="the kernel or Xen complains: $(head -n 1 <<<"$complaints")"
        printf '%s\n' "$complaints" >>/run/case.log
    fi
    [ $result != fail ] || case_autopsy >>/run/case.log 2>&1
    case_clean
    if [ "$(case_word "$case" complaints)" != expected ]; then
        left=$(leftovers)
        [ -z "$left" ] || {
            result=fail reason="after the case: $(head -n 1 <<<"$left")"
            printf '%s\n' "$left" >>/run/case.log
        }
    fi
    tr -d '\r' </run/case.log | sed 's/^/log /' >&3
    CASE=$case mark ends: $result
    printf 'end %s %s %s %s\n' "$case" $result $((SECONDS - start)) "$reason" >&3
    rm -f /var/log/xen/console/* /var/log/xen/xl-* /var/log/xen/qemu-*
done </xen/list
printf 'over\n' >&3
