# SPDX-License-Identifier: MIT
# Domains come and go with the nodes that a toolstack writes.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

# A program that shares pages and waits.
PROXY=$(ls /usr/lib/xen-*/bin/vchan-socket-proxy | tail -n 1)
need "$PROXY"

# expect_domains N: until there are so many.
expect_domains() {
    local end=$((SECONDS + DEADLINE))
    until [ "$(xenbox domain list --json | grep -c '"domid"')" = "$1" ]; do
        [ $SECONDS -lt $end ] || fail "not $1 domains: $(xenbox domain list)"
    done
}

box_up
mkfifo "$SCRATCH/input" # nobody writes to it
exec 8<>"$SCRATCH/input"
before=$(in_dom0 xenstore-ls -fp)

say "nodes and permissions of a new domain"
[ "$(xenbox domain create --domid 7 --memory 64 seven)" = 7 ] || fail "the number is not printed"
vm=$(in_dom0 xenstore-read /local/domain/7/vm)
in_dom0 xenstore-ls -fp >"$SCRATCH/nodes"
while IFS= read -r line; do
    grep -qxF -e "$line" "$SCRATCH/nodes" || fail "missing: $line"
done <<EOF
/local/domain/7 = ""   (n0,r7)
/local/domain/7/vm = "$vm"   (n0,r7)
/local/domain/7/name = "seven"   (n0,r7)
/local/domain/7/domid = "7"   (n0,r7)
/local/domain/7/device = ""   (n0,r7)
/local/domain/7/control/shutdown = ""   (n7)
/local/domain/7/data = ""   (n7)
/local/domain/7/error = ""   (n7)
/local/domain/7/memory/target = "65536"   (n0,r7)
$vm/uuid = "${vm#/vm/}"   (n0,r7)
/libxl/7/device = ""   (n0)
EOF

say "list"
[ "$(xenbox domain list | awk 'NR > 1 { print $1, $2, $3 }' | tr '\n' ' ')" = "Domain-0 0 running seven 7 running " ] ||
    fail "list: $(xenbox domain list)"
xenbox domain list --json | grep -q '"name": "seven"' || fail "list --json"

say "states"
xenbox domain pause seven
[ "$(xenbox domain list | awk '$2 == 7 { print $3 }')" = paused ] || fail "not paused"
xenbox domain unpause seven
[ "$(xenbox domain list | awk '$2 == 7 { print $3 }')" = running ] || fail "not running"
xenbox domain shutdown --reason=crash seven
[ "$(xenbox domain list | awk '$2 == 7 { print $3 }')" = shutdown ] || fail "not shut down"
xenbox domain list --json | grep -q '"shutdown_reason": 3' || fail "the reason is not shown"

say "destroy leaves nothing, kills its processes, and tells who watches"
xenbox run -- xenstore-watch @releaseDomain >"$SCRATCH/release.log" &
watcher=$!
wait_log "$SCRATCH/release.log" releaseDomain $watcher
xenbox run -d seven -- "$PROXY" --mode=server 0 data/vchan "$SCRATCH/vchan" >"$SCRATCH/program.log" 2>&1 &
program=$!
wait_store /local/domain/7/data/vchan/event-channel '[0-9]+'
xenbox dump --json | grep -q "\"pid\": $program," || fail "the program has no connection"
xenbox domain destroy seven
wait_log "$SCRATCH/release.log" '^@releaseDomain$' $watcher
expect_gone $program
wait $program || :
kill $watcher
wait $watcher || :
[ "$(xenbox domain list | wc -l)" = 2 ] || fail "still there: $(xenbox domain list)"
[ "$(in_dom0 xenstore-ls -fp | grep -vE '^/(vm|libxl) = ')" = "$(grep -vE '^/(vm|libxl) = ' <<<"$before")" ] ||
    fail "nodes are left: $(in_dom0 xenstore-ls -fp)"
[ ! -e "$XENBOX/store/7" ] || fail "the guest's socket is still there"

say "a domain whose pages are mapped stays as a zombie until they are not"
xenbox domain create --domid 7 seven >/dev/null
xenbox run -d seven -- "$PROXY" --mode=server 0 data/vchan - <&8 >"$SCRATCH/program.log" 2>&1 &
program=$!
wait_store /local/domain/7/data/vchan/event-channel '[0-9]+'
xenbox run -- "$PROXY" --mode=client 7 /local/domain/7/data/vchan - <&8 >"$SCRATCH/client.log" 2>&1 &
client=$!
until xenbox dump --json | grep -A 100 "\"pid\": $client," | grep -q '"domid": 7'; do
    kill -0 $client || fail "the client ended: $(cat "$SCRATCH/client.log")"
done
kill -STOP $client
xenbox domain destroy seven 2>"$SCRATCH/destroy.log"
grep -q 'domain 7 stays as a zombie' "$SCRATCH/destroy.log" || fail "destroy said: $(cat "$SCRATCH/destroy.log")"
[ "$(xenbox domain list | awk '$2 == 7 || $1 == 7 { print $(NF - 1) }')" = dying ] || fail "no zombie: $(xenbox domain list)"
expect_fail 'domain 7 is being destroyed' xenbox domain pause 7
kill -KILL $client
wait $client $program || :
expect_domains 1

say "the number can be used again at once, by another domain"
for _ in {1..10}; do
    xenbox domain create --domid 7 seven >/dev/null
    [ "$(in_dom0 xenstore-read /local/domain/7/vm)" != "$vm" ] || fail "the same handle again"
    xenbox domain destroy 7
done

say "several at once: one name is given once, and numbers are given once"
for _ in {1..8}; do
    xenbox domain create twin >>"$SCRATCH/twins" 2>&1 &
    xenbox domain create >>"$SCRATCH/others" 2>&1 &
done
wait
[ "$(grep -c "has the name 'twin' already" "$SCRATCH/twins")" = 7 ] || fail "twins: $(cat "$SCRATCH/twins")"
[ "$(sort -u "$SCRATCH/others" | grep -c '^[0-9]*$')" = 8 ] || fail "numbers: $(cat "$SCRATCH/others")"
for domid in $(grep -hx '[0-9]*' "$SCRATCH/twins" "$SCRATCH/others"); do
    xenbox domain destroy "$domid"
done

say "names"
domid=$(xenbox domain create)
[ "$(in_guest "Domain-$domid" xenstore-read name)" = "Domain-$domid" ] || fail "no name of its own"
