#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that send packets which no good frontend would (catalogue D08, D10, D11, D12, D17, E17), and good ones: each bad
# one is answered with an error and not seen outside, and the next good one comes out whole.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile_net.sh"

evil_guest
hostile service
hostile split
hostile sizes "a slot that does not lie within its page"
hostile chains "a first slot whose size is smaller than the sum of the others"
hostile extras "an extra slot of a type that was not offered"
hostile checksums "a blank checksum where there is neither TCP nor UDP"
hostile grants "a granted page cannot be copied"
hostile fuzz
