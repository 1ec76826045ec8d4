#!/bin/bash
# SPDX-License-Identifier: MIT
# Requests that make no sense (catalogue C01, C02, C04, C05, C06, C10, C16): an error response each and nothing else.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile.sh"

neighbours_start
hostile operations "unknown of 1 segments at sector 0: an operation that was not offered"
hostile segments "a segment count outside 1 to 11"
hostile beyond-end "a range past the end of the disk"
hostile grants "a granted page cannot be copied"
hostile discard "discard of .* sectors at sector .*: a range past the end of the disk"
hostile ids
hostile padding
hostile layout-x86-32
hostile fuzz
hostile mutation
hostile storm
hostile indirect "more or fewer indirect segments than 1 to those offered"
hostile indirect-mutation
neighbours_stop
