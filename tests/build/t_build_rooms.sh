#!/bin/bash
# SPDX-License-Identifier: MIT
# The rules of the house that a compiler does not check: which room may use which, how a file starts, how wide it is.
# short: yes
. "$(dirname "$0")/../functions.sh"

cd "$XS_SRCDIR"
rooms=(common backend frontend xenbox)
mapfile -t sources < <(find "${rooms[@]}" tests -name '*.[ch]' | sort)
[ ${#sources[@]} -gt 10 ] || fail "found only ${#sources[@]} source files"

# forbid WHAT PATTERN FILE...: no line may match.
forbid() {
    local what=$1 pattern=$2
    shift 2
    if grep -n -E -e "$pattern" "$@"; then
        fail "$what"
    fi
}
# files_of ROOM: its sources; a room that is still empty forbids nothing.
files_of() {
    find "$1" -name '*.[ch]'
    echo /dev/null
}

forbid "xenbox uses nothing of the other rooms" '#include "(common|backend|frontend)/' $(files_of xenbox)
forbid "only xenbox uses xenbox" '#include "xenbox/' $(files_of common) $(files_of backend) $(files_of frontend)
forbid "common uses no room" '#include "(backend|frontend)/' $(files_of common)
forbid "common and frontend have no libevent" '#include <event' $(files_of common) $(files_of frontend)
forbid "the backend does not use the frontend" '#include "frontend/' $(files_of backend)
forbid "the frontend does not use the backend" '#include "backend/' $(files_of frontend)
forbid "an unfinished thing" '\b(TODO|FIXME|XXX)\b' "${sources[@]}"
forbid "a line is much longer than 110 columns" '^.{121}' "${sources[@]}"
forbid "a tab in C source" $'\t' "${sources[@]}"

for file in "${sources[@]}"; do
    [ "$(head -n 1 "$file")" = '// SPDX-License-Identifier: MIT' ] || fail "$file does not start with the SPDX line"
    case $file in
    *.c) [ "$(sed -n 's/^#include //p' "$file" | head -n 1)" = '<config.h>' ] ||
        fail "$file does not include config.h first" ;;
    esac
done
