# SPDX-License-Identifier: MIT
# An ordinary user can do all of it.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

need setpriv
[ "$(id -u)" = 0 ] || skip "not root: every other test shows it"

# The installation may be in a place that others cannot enter.
chmod 711 "$SCRATCH"
mkdir "$SCRATCH/lib" "$SCRATCH/libexec" "$SCRATCH/bin"
cp "$XENBOX_LIBDIR"/*.so* "$SCRATCH/lib/"
cp "$XENBOX_LIBEXECDIR"/xenbox-* "$SCRATCH/libexec/"
cp "$(command -v xenbox)" "$SCRATCH/bin/"
unset XENBOX_HOME XENBOX

as_user() {
    ASAN_OPTIONS= UBSAN_OPTIONS= setpriv --reuid=65534 --regid=65534 --clear-groups env -u XDG_RUNTIME_DIR \
        XENBOX_LIBDIR="$SCRATCH/lib" XENBOX_LIBEXECDIR="$SCRATCH/libexec" "$SCRATCH/bin/xenbox" -b t$$ "$@"
}

cd /
home=/tmp/xenbox-65534
was_there=
[ ! -d $home ] || was_there=1
[ "$(as_user up)" = $home/t$$ ] || fail "the box is elsewhere"
defer as_user down
[ "$(as_user domain create guest)" = 1 ] || fail "no domain"
[ "$(as_user run -d guest -- xenstore-read domid)" = 1 ] || fail "no store"
as_user check

say "a home that belongs to somebody else is not trusted"
mkdir -m 755 "$SCRATCH/foreign"
chown 1 "$SCRATCH/foreign"
status=0
XENBOX_HOME=$SCRATCH/foreign xenbox up x >"$SCRATCH/said" 2>&1 || status=$?
[ $status = 1 ] || fail "it was trusted"
grep -q "cannot create $SCRATCH/foreign/x: Operation not permitted" "$SCRATCH/said" || fail "said: $(cat "$SCRATCH/said")"

as_user domain destroy guest
[ "$(as_user list | wc -l)" -ge 2 ] || fail "no list"
as_user down
_undo=()
[ ! -e $home/t$$ ] || fail "the box is still there"
[ -n "$was_there" ] || rmdir $home
