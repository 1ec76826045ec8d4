#!/bin/bash
# SPDX-License-Identifier: MIT
# read, write, copy and verify move exactly the bytes that they should, through pipes and files, and verify finds
# the byte that was changed behind its back.
# short: yes
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start
guest_create
image_make "$SCRATCH/disk.img" 5
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null

# blk COMMAND...: in the guest, on the disk. refused REGEX COMMAND...: the same, and it must fail.
blk() {
    in_guest "$DOM" xenfront blk "$@" "$VDEV"
}
refused() {
    local words=$1
    shift
    expect_fail "$words" xenbox run -d "$DOM" -- xenfront blk "$@" "$VDEV"
}

say "read a range"
for range in "0 512 512" "512 4608 1024" "1536 1048576 65536" "3145728 999936 512"; do
    read -r offset size block <<<"$range"
    blk read --quiet --offset="$offset" --size="$size" --block-size="$block" --depth=3 >"$SCRATCH/part"
    [ "$(stat -c %s "$SCRATCH/part")" = "$size" ] || fail "read $(stat -c %s "$SCRATCH/part") bytes of $size"
    cmp -n "$size" -i "$offset:0" "$SCRATCH/disk.img" "$SCRATCH/part"
done

say "write from a pipe that stutters"
head -c 700416 /dev/urandom >"$SCRATCH/source"
dd bs=777 status=none <"$SCRATCH/source" | blk write --quiet --offset=1536 --block-size=10K --depth=5
cmp -n 700416 -i 1536:0 "$SCRATCH/disk.img" "$SCRATCH/source"

say "a whole image out and in"
blk copy --json --out="$SCRATCH/copy" | grep -q '"bytes": 5242880'
cmp "$SCRATCH/disk.img" "$SCRATCH/copy"
image_make "$SCRATCH/new.img" 3
blk copy --quiet --in="$SCRATCH/new.img"
cmp -n 3145728 "$SCRATCH/new.img" "$SCRATCH/disk.img"
cmp -i 3145728 "$SCRATCH/copy" "$SCRATCH/disk.img"

say "what does not fit is refused"
image_make "$SCRATCH/big.img" 6
refused "an image of at most 5242880 bytes expected.*found 6291456" copy --in="$SCRATCH/big.img"
cmp -n 3145728 "$SCRATCH/new.img" "$SCRATCH/disk.img"
printf 'abc' >"$SCRATCH/odd"
refused "sectors of 512 bytes expected" write --in="$SCRATCH/odd"
refused "at most 1024 bytes expected" write --size=1024 --in="$SCRATCH/source"
refused "offset, size and block size in sectors" read --offset=100
refused "on a disk of 5242880 bytes expected" read --offset=6M
refused "No such file" copy --in="$SCRATCH/none"
refused "either --in=FILE or --out=FILE" copy
refused "json needs --out" read --json

say "verify"
blk verify --quiet --seed=7 --size=5M
blk verify --quiet --seed=7 --size=5M --read-only-check
blk verify --json --seed=8 --size=5M --depth=1 --block-size=4K | grep -q '"ok": true'
refused "with seed 8" verify --seed=7 --size=5M --read-only-check

say "verify finds the byte"
byte=$(od -An -tu1 -j 2345678 -N 1 "$SCRATCH/disk.img")
printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$SCRATCH/disk.img" bs=1 seek=2345678 conv=notrunc status=none
refused "difference at byte 2345678 \(sector 4581, byte 206\).*no sector that verify wrote as a whole" \
    verify --seed=8 --size=5M --read-only-check
status=0
blk verify --seed=8 --size=5M --read-only-check 2>/dev/null || status=$?
[ $status = 4 ] || fail "exit status $status, expected 4"

say "a read-only disk"
xenbox detach "$DOM" vbd "$VDEV"
disk_attach "$DOM" params="$SCRATCH/disk.img" mode=r >/dev/null
sum=$(sha256sum <"$SCRATCH/disk.img")
refused "write: .*[Rr]ead-only" verify --size=1M
refused "write: .*[Rr]ead-only" write --in="$SCRATCH/new.img"
blk info | grep -q "read-only  *yes"
[ "$sum" = "$(sha256sum <"$SCRATCH/disk.img")" ] || fail "the read-only disk has changed"

say "limits"
refused "the limit of this domain is reached" info --data-pages=2000
blk verify --quiet --read-only-check --size=512 --data-pages=11 --seed=99 2>/dev/null && fail "seed 99 was never written"
blk bench --quiet --count=200 --block-size=1M --depth=4 --data-pages=11 --pattern=read | grep -q "200 requests"
xenbox detach "$DOM" vbd "$VDEV"
