#!/bin/bash
# SPDX-License-Identifier: MIT
# Every row of the regression suite that has a meaning there is green in a box of mode autotranslated.
# limit: 900
. "$(dirname "$0")/../functions.sh"

"$XS_SRCDIR/tests/regress/run" -b "$XS_BUILDDIR" -m autotranslated
