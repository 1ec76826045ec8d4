#!/bin/bash
# SPDX-License-Identifier: MIT
# Catalogue H11: one recorded workload, with all operations and sizes and with bad requests, through every method and
# engine: the same responses, the same bytes in the guest's memory after each round, the same disk.
# limit: 600
. "$(dirname "$0")/../functions.sh"

SECTORS=8192 SEED=${SEED:-20261121} ROUNDS=${ROUNDS:-200}
say "seed $SEED"
box_up
guest_create guest
image_make "$SCRATCH/source.img" 4

# replay NAME DISK WORDS -- DAEMON-OPTION...: leaves NAME.out.
replay() {
    local name=$1 disk=$2 words=$3
    shift 4
    daemon_start --workers 1 "$@"
    disk_attach "$DOM" params="$disk" >/dev/null
    # shellcheck disable=SC2086
    in_guest "$DOM" "$XS_BUILDDIR/tests/vbd/replay" "$VDEV" "$SEED" "$ROUNDS" "$SECTORS" $words >"$SCRATCH/$name.out"
    xenbox detach "$DOM" vbd "$VDEV"
    daemon_stop
}

first=
for engine in io_uring libaio; do
    for direct in on off; do
        for method in copy persistent map; do
            cp "$SCRATCH/source.img" "$SCRATCH/disk.img"
            replay now "$SCRATCH/disk.img" persistent -- \
                --engine "$engine" --direct "$direct" --data-method "$method" ${REPLAY_OPTIONS:-}
            if [ -z "$first" ]; then
                first="$engine, direct $direct, $method"
                mv "$SCRATCH/now.out" "$SCRATCH/first.out"
                mv "$SCRATCH/disk.img" "$SCRATCH/first.img"
                # It was worth the while: data went both ways and all kinds of errors came.
                ! cmp -s "$SCRATCH/source.img" "$SCRATCH/first.img" || fail "nothing was written"
                for status in 0 -1 -2; do
                    [ "$(grep -c -e ": .*$status " "$SCRATCH/first.out")" -gt 10 ] || fail "status $status is rare"
                done
                continue
            fi
            say "$engine, direct $direct, $method, beside $first"
            diff "$SCRATCH/first.out" "$SCRATCH/now.out" || fail "the guest saw a difference"
            cmp "$SCRATCH/first.img" "$SCRATCH/disk.img" || fail "the disks differ"
        done
    done
done

say "engines that are slow, give parts, are interrupted, and have somebody hold on to the pages (catalogue H15)"
for engine in io_uring libaio; do
    for method in copy persistent map; do
        cp "$SCRATCH/source.img" "$SCRATCH/disk.img"
        replay now "$SCRATCH/disk.img" persistent -- --engine "$engine" --data-method "$method" \
            --engine-faults short=2,again=3,slow=300,keep=200
        diff "$SCRATCH/first.out" "$SCRATCH/now.out" || fail "$engine, $method: the guest saw a difference"
        cmp "$SCRATCH/first.img" "$SCRATCH/disk.img" || fail "$engine, $method: the disks differ"
    done
done

say "a disk without data gives the same responses as one with"
for method in copy persistent map; do
    replay mem mem:4M "persistent void" -- --data-method "$method"
    replay void null:4M,zero=off "persistent void" -- --data-method "$method"
    diff <(sed 's/ [^ ]*$//' "$SCRATCH/mem.out") <(sed 's/ [^ ]*$//' "$SCRATCH/void.out") ||
        fail "a disk without data answers otherwise"
done
