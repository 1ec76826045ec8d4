# SPDX-License-Identifier: MIT
# Goes through /xen/list: runs each case with its time limit, cleans up after it, looks at the kernels' logs,
# and reports over the serial port named "results" (host/machine.sh says how).

for name in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$name")" = results ] && port=/dev/$(basename "$(dirname "$name")")
done
exec 3>"$port"

case_word() { sed -n 's/^# xen: //p' "/xen/cases/$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }

# What the case left behind goes away: domains, the daemon, files, modules of the kernel's backends.
case_clean() {
    local id pid
    for id in $(xl list | awk 'NR > 1 && $2 != 0 { print $2 }'); do
        xl destroy "$id"
    done
    for pid in /run/case/*.pid; do
        [ -e "$pid" ] && kill -KILL "$(cat "$pid")"
    done
    modprobe -r xen-blkback xen-netback
    umount /disk
    rm -rf /run/case /run/xensplit /tmp/*
    xenstore-rm /local/domain/0/backend
} >/dev/null 2>&1

# Complaints of the kernel, of processes that crashed, and of Xen since the marks; nothing printed is good.
kernel_complaints() {
    dmesg | tail -n "+$((kernel_mark + 1))" |
        grep -E 'Bad page|BUG|WARNING:|Oops|segfault|general protection|hung task|Call Trace|grant still in use'
    xl dmesg | tail -n "+$((xen_mark + 1))" | grep -E '\(XEN\).*(BUG|WARN|Assertion|Bad|pin)'
}

PATIENCE=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^xen_patience=//p')
export PATIENCE

printf 'up\n' >&3
while read -r case; do
    limit=$(case_word "$case" limit)
    limit=$((${limit:-120} * PATIENCE))
    printf 'begin %s %s\n' "$case" "$limit" >&3
    mkdir -p /run/case
    kernel_mark=$(dmesg | wc -l)
    xen_mark=$(xl dmesg | wc -l)
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
    if [ $result = fail ]; then
        { echo "-- domains" && xl list
          echo "-- store" && xenstore-ls -f /local/domain/0/backend 
          for log in /var/log/xen/console/guest-*.log /var/log/xen/xl-*.log /run/case/*.log; do
              [ -s "$log" ] && echo "-- $log" && tail -n 40 "$log"
          done
          echo "-- dmesg" && dmesg | tail -n "+$((kernel_mark + 1))" | tail -n 20; } >>/run/case.log 2>&1
    fi
    tr -d '\r' </run/case.log | sed 's/^/log /' >&3
    printf 'end %s %s %s %s\n' "$case" $result $((SECONDS - start)) "$reason" >&3
    case_clean
    rm -f /var/log/xen/console/* /var/log/xen/xl-* /var/log/xen/qemu-*
done </xen/list
printf 'over\n' >&3
