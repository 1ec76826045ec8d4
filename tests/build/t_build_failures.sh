#!/bin/bash
# SPDX-License-Identifier: MIT
# A shell test that fails says which command it was, also where that is inside a function whose output goes elsewhere.
# short: yes
. "$(dirname "$0")/../functions.sh"

# fails WHAT REASON <<<LINES: a test of these lines fails, and says what.
fails() {
    local status=0
    {
        echo ". '$XS_SRCDIR/tests/functions.sh'"
        echo 'broken() { test -e missing; }'
        cat
    } >"$SCRATCH/t_failing.sh"
    TMPDIR=$SCRATCH bash "$SCRATCH/t_failing.sh" >"$SCRATCH/failing.log" 2>&1 || status=$?
    [ $status = 1 ] || fail "$1: the test ended with $status"
    [ "$(grep -c '^FAIL: ' "$SCRATCH/failing.log")" = 1 ] || fail "$1: it does not say why, once"
    grep -q "^FAIL: $2" "$SCRATCH/failing.log" || fail "$1: it does not say that it was $2"
}

fails "a command" 'line 3: false (exit status 1)' <<<'false'
fails "a function" 'line 2: test -e missing (exit status 1)' <<<'broken'
fails "a function whose output goes elsewhere" 'line 2: test -e missing (exit status 1)' <<<'broken >/dev/null'
fails "a substitution" "line 3: seen=\$(broken) (exit status 1)" <<<"seen=\$(broken)"
fails "what a test says of itself" 'too few' <<<'fail "too few"'
