#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's oxenstored keeps the store of a box: what holds for xenstored holds for it. Tests of the store, of domains
# and of devices run once more on it. It leaves no file outside the box, and no dead guest stays for its sake.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need "$XEN_BIN/oxenstored" "$XEN_BIN/test-xenstore"

export XS_STORE=oxenstored
for file in /var/run/xenstored/socket /var/run/xen/xenstored.pid /var/log/xen/xenstored.log; do
    [ -e "$file" ] || absent+=" $file"
done

say "a dead guest is gone"
box_up
[ "$(in_dom0 xenstore-read /tool/xenstored)" = "$XEN_BIN/oxenstored" ] || fail "it is another one"
guest_create
guest=$DOM
xenbox domain destroy "$guest"
xenbox domain create --domid "$guest" again
box_down

for test in interop/t_interop_test_xenstore xenstore/t_xenstore_guest xenbox/t_xenbox_domain xenbox/t_xenbox_attach; do
    say "$test"
    bash "$XS_SRCDIR/tests/$test.sh" || fail "$test"
done
for file in ${absent:-}; do
    [ ! -e "$file" ] || fail "there is a $file now"
done
