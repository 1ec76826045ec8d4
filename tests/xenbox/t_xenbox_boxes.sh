# SPDX-License-Identifier: MIT
# Boxes side by side have nothing to do with each other; a box is chosen by -b, by $XENBOX, or is the default.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

export XENBOX_HOME=$SCRATCH/boxes
for name in default a b; do
    xenbox up $name >/dev/null
    defer xenbox down $name
done
[ "$(xenbox list | awk 'NR > 1 { print $1, $2, $4 }' | tr '\n' ' ')" = "a up 1 b up 1 default up 1 " ] ||
    fail "list: $(xenbox list)"

xenbox domain create in-default >/dev/null
xenbox -b a domain create in-a >/dev/null
xenbox domain create -b "$XENBOX_HOME/b" in-b >/dev/null
for name in default a b; do
    [ "$(XENBOX=$XENBOX_HOME/$name xenbox run -d 1 -- xenstore-read name)" = in-$name ] || fail "domain 1 of $name"
    [ "$(xenbox -b $name run -- xenstore-list /local/domain | tr '\n' ' ')" = "0 1 " ] || fail "store of $name"
done

say "a box in a box: the inner one counts"
[ "$(xenbox -b a run -- xenbox -b b run -d in-b -- xenstore-read name)" = in-b ] || fail "nested run"

say "the end of one is not the end of another"
xenbox down a
[ "$(box_state a)" = '' ] || fail "a is $(box_state a)"
[ "$(XENBOX=b xenbox run -d 1 -- xenstore-read name)" = in-b ] || fail "b was hit"
xenbox up a >/dev/null
[ "$(xenbox -b a domain list | wc -l)" = 2 ] || fail "the new box has domains of the old one"

say "any directory will do"
xenbox up "$SCRATCH/elsewhere" >/dev/null
defer xenbox down "$SCRATCH/elsewhere"
[ "$(cd "$SCRATCH" && xenbox -b ./elsewhere run -- xenstore-read name)" = Domain-0 ] || fail "relative directory"
