#!/bin/bash
# SPDX-License-Identifier: MIT
# Nothing that a guest can say writes to a read-only disk (catalogue C12).
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile.sh"

neighbours_start mode=r
before=$(sha256sum <"$SCRATCH/evil.img")
hostile readonly "a write to a read-only disk"
[ "$before" = "$(sha256sum <"$SCRATCH/evil.img")" ] || fail "the image has changed"
neighbours_stop
