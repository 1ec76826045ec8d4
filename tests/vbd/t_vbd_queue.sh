#!/bin/bash
# SPDX-License-Identifier: MIT
# The parts of the block path that need grants and event channels, each with both ends in one process.
. "$(dirname "$0")/../functions.sh"

box_up --limit gntalloc-pages=2048
for check in check_grant_io check_blk_queue check_blk_heir check_blk_notify; do
    say "$check"
    in_dom0 "$XS_BUILDDIR/tests/vbd/$check"
done
