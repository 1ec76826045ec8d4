# SPDX-License-Identifier: MIT
# Boots the image under QEMU and follows what dom0 reports. dom0's console goes to a log; results come through
# a virtio serial port of their own, so that no kernel message can get between them.
#
# A report is one line: "up" (the toolstack works), "begin CASE SECONDS", "log TEXT" (of the case that runs),
# "end CASE pass|fail|skip SECONDS REASON", "over" (the list is done).

MACHINE_PID=

# Becomes QEMU; further arguments are QEMU's. The caller says where the console goes.
machine_start() {
    rm -f "$XEN_WORK/disk.img" "$XEN_WORK/slow.img"
    truncate -s "${XEN_DISK_MB}M" "$XEN_WORK/disk.img"
    truncate -s 16M "$XEN_WORK/slow.img"
    local kernel_options="console=hvc0 panic=5 loglevel=6 xen_mode=$1 xen_patience=$XEN_PATIENCE"
    kernel_options+=" xen_rounds=$XEN_BENCH_ROUNDS $XEN_KERNEL_OPTIONS"
    exec qemu-system-x86_64 -accel tcg,thread=multi,tb-size=512 -cpu "$XEN_CPU_MODEL" -m "$XEN_MEMORY_MB" \
        -smp "$XEN_CPUS" -nodefaults -no-user-config -display none -no-reboot -net none \
        -drive "file=$XEN_WORK/disk.img,format=raw,if=virtio,cache=unsafe" \
        -drive "file=$XEN_WORK/slow.img,format=raw,if=virtio,cache=unsafe,throttling.iops-total=2" \
        -drive "file=$BASE/tools.img,format=raw,if=virtio,readonly=on" \
        -kernel "$BASE/xen" -append "$XEN_OPTIONS $XEN_OPTIONS_MORE" \
        -initrd "$BASE/vmlinuz $kernel_options,$XEN_WORK/dom0.img" \
        "${@:2}"
}

machine_stop() {
    [ -n "$MACHINE_PID" ] && kill -KILL "$MACHINE_PID" 2>/dev/null
    [ -n "$MACHINE_PID" ] && wait "$MACHINE_PID" 2>/dev/null
    MACHINE_PID=
}

# Milliseconds that the machine's threads have waited for one of the host's processors, where the host tells that.
machine_waited() {
    awk '{ waited += $2 } END { print int(waited / 1000000) }' /proc/"$MACHINE_PID"/task/*/schedstat 2>/dev/null ||
        echo 0
}

# How many milliseconds of two seconds count for a limit: less what the machine waited for a processor of the host, but
# not nothing, since what hangs in a loop waits as well.
machine_counts() { echo $(($1 > 1900 ? 100 : $1 < 0 ? 2000 : 2000 - $1)); }

# What the machine got of the processor that it wanted, in percent, since it had waited $1 ms at second $2.
machine_share() {
    local elapsed=$((($(date +%s) - $2) * 1000 + 1)) waited=$(($(machine_waited) - $1))
    echo $((waited < 0 ? 100 : waited > elapsed ? 0 : 100 - waited * 100 / elapsed))
}

# Runs the cases of list $1 in one boot and calls case_begin, case_end for each as it happens. Returns 0 when
# the list was gone through, 1 when the machine died or hung; the case that it was busy with has been reported
# as failed then.
machine_run() {
    local list=$1 console=$2 fifo=$XEN_WORK/results line case='' seconds word rest over=1
    local limit=$((XEN_BOOT_LIMIT * 1000)) waited=0 now begun=0 waited_then=0 # limit and waited: milliseconds
    rm -f "$fifo"
    mkfifo "$fifo"
    machine_start cases -monitor "unix:$XEN_WORK/monitor,server=on,wait=off" \
        -serial "file:$console" -device virtio-serial-pci \
        -chardev "file,id=results,path=$fifo" -device virtserialport,chardev=results,name=results \
        </dev/null >"$XEN_WORK/qemu.log" 2>&1 &
    MACHINE_PID=$!
    exec 7<>"$fifo" # read-write: opening waits for nobody, and the end of QEMU is seen below
    : > "$XEN_WORK/case.log"
    while :; do
        line=
        # A QEMU that is gone writes no more: look for that every few seconds.
        while ! IFS= read -r -t 2 -u 7 rest; do
            line+=$rest
            now=$(machine_waited)
            limit=$((limit - $(machine_counts $((now - waited)))))
            waited=$now
            kill -0 "$MACHINE_PID" 2>/dev/null || break 2
            [ "$limit" -gt 0 ] || break 2
        done
        line+=$rest
        word=${line%% *}
        rest=${line#"$word"}
        rest=${rest# }
        case $word in
        up) limit=$((XEN_CASE_GRACE * 1000)) ;;
        begin)
            case=${rest% *}
            limit=$(((${rest#* } + XEN_CASE_GRACE) * 1000))
            : > "$XEN_WORK/case.log"
            case_begin "$case"
            begun=$(date +%s) waited_then=$(machine_waited)
            ;;
        log) printf '%s\n' "$rest" >> "$XEN_WORK/case.log" ;;
        end)
            read -r _ word seconds rest <<<"$rest"
            case_end "$case" "$word" "$seconds" "$rest" "$(machine_share "$waited_then" "$begun")"
            case=
            limit=$((XEN_CASE_GRACE * 1000))
            ;;
        over)
            over=0
            limit=$((XEN_CASE_GRACE * 1000)) # to power off
            ;;
        esac
    done
    exec 7<&-
    rm -f "$fifo"
    if [ $over != 0 ]; then
        if kill -0 "$MACHINE_PID" 2>/dev/null; then
            word="hung and was cut off"
        else
            word="ended by itself $(tail -n 1 "$XEN_WORK/qemu.log")"
        fi
        [ -n "$case" ] && case_end "$case" fail - "the machine $word" 100
        say "the machine $word; the end of its console ($console):"
        tail -n 40 "$console" | sed 's/\r$//; s/^/    /' >&2
    fi
    machine_stop
    return $over
}
