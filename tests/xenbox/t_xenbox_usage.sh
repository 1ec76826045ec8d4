# SPDX-License-Identifier: MIT
# Wrong usage has status 2, what cannot be done has status 1, and both say why.
# short: yes
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

# refused STATUS PATTERN ARGUMENT...
refused() {
    local status=0 expected=$1 pattern=$2
    shift 2
    xenbox "$@" >"$SCRATCH/said" 2>&1 || status=$?
    [ $status = "$expected" ] || fail "status $status, expected $expected: xenbox $*: $(cat "$SCRATCH/said")"
    grep -qE -e "$pattern" "$SCRATCH/said" || fail "xenbox $* said: $(cat "$SCRATCH/said")"
}

export XENBOX_HOME=$SCRATCH/boxes
unset XENBOX

say "without a box"
refused 2 'which command'
refused 2 "there is no command 'fly'" fly
refused 2 'unrecognized option' --fly
refused 2 'unrecognized option' list --fly
refused 2 'requires an argument' -b
refused 2 "no name for a box" up ..
refused 2 "no name for a box" up .hidden
refused 2 "no name for a box" up 'a b'
refused 2 "no name for a box" -b '' domain list
refused 2 'at most 63' up "$(printf 'x%.0s' {1..64})"
refused 2 'one box at a time' up a b
refused 2 'sockets are made in it' up "/tmp/$(printf 'x%.0s' {1..50})/$(printf 'y%.0s' {1..50})"
refused 2 'not KEY=VALUE' up --limit grants
refused 2 'not fast or strict' up --mapping=slow
refused 2 'not xenstored or oxenstored' up --store=shop
refused 1 "there is no such limit" up --limit fun=1
refused 1 "range" up --limit event-channels=1000000
refused 1 'No such file' up --xenstored=/nowhere
refused 1 'xenstored .* ended with status 0 before it was ready' up --xenstored=/bin/true
refused 1 "there is no box 'default'.*'xenbox up default' starts it" run true
refused 1 "there is no box 'x'" -b x domain list
refused 1 'there is no box' down
XENBOX_LIBDIR=/nowhere refused 1 '/nowhere/libxengnttab.so.1 is missing' up
XENBOX_LIBEXECDIR=/nowhere refused 1 '/nowhere/xenbox-hv is missing' up
XENBOX_HOME=boxes refused 2 'must be an absolute path' up
[ -z "$(ls -A "$XENBOX_HOME" 2>/dev/null)" ] || fail "left: $(ls -A "$XENBOX_HOME")"

say "a directory that is somebody's"
mkdir -p "$XENBOX_HOME/mine" "$XENBOX_HOME/empty"
echo precious >"$XENBOX_HOME/mine/file"
refused 1 'exists and is not a box' up mine
refused 1 'is not a box' down mine
refused 1 'is not a box' -b mine run true
touch "$XENBOX_HOME/mine/lock"
refused 1 'exists and is not a box' up mine
[ "$(cat "$XENBOX_HOME/mine/file")" = precious ] || fail "the file is gone"
rm -r "$XENBOX_HOME/mine"
xenbox up empty >/dev/null
xenbox down empty
rm -rf "$XENBOX_HOME"

say "with a box"
box_up
refused 2 'what to do is missing' domain
refused 2 "there is no 'fly'" domain fly
refused 2 'is no number from 1 to' domain create --domid 0
refused 2 'is no number from 1 to' domain create --domid 99999
refused 2 'is no number from 1 to' domain create --memory much
refused 2 'one domain at a time' domain create a b
refused 1 'it would be taken for its number' domain create 12
refused 1 'a slash, a blank' domain create a/b
refused 1 '1 to 63 characters' domain create ''
refused 1 '1 to 63 characters' domain create "$(printf 'x%.0s' {1..64})"
refused 2 'which domain' domain destroy
refused 1 'domain 0 is no guest' domain destroy 0
refused 1 'there is no domain 5' domain destroy 5
refused 1 'there is no domain 5' domain pause 5
refused 2 'not poweroff, reboot' domain shutdown 1 --reason=fun
refused 2 'it takes no arguments' domain list x
refused 2 'it takes no arguments' dump x
refused 2 'which command' run
refused 2 'which command' run -d 0 --
guest_create guest
refused 1 "domain $DOM has the name 'guest' already" domain create guest
refused 1 "there is a domain $DOM already" domain create --domid $DOM
refused 2 'domain and kind of device are missing' attach guest
refused 2 "there is no kind of device 'usb': vbd, qdisk, vif" attach guest usb
refused 2 "has no setting 'colour'" attach guest vbd target=/x colour=red
refused 2 'target is missing' attach guest vbd
refused 2 'not one of rw' attach guest vbd target=/x access=maybe
refused 2 'target is given twice' attach guest vbd target=/x target=/y
refused 2 'vdev=zebra: not a name of a vbd' attach guest vbd target=/x vdev=zebra
refused 2 'vdev=sdzz: out of range' attach guest vbd target=/x vdev=sdzz
refused 2 'not a number of seconds' attach guest vbd target=/x --timeout soon
refused 1 "there is no domain 'nobody'" attach nobody vbd target=/x
refused 1 'domain 0 is no guest' attach 0 vbd target=/x
refused 2 'domain, kind and name' detach guest vbd
refused 1 'vbd 1/51712: there is no such device' detach guest vbd xvda
refused 2 'not a name of a vbd' detach guest vbd zebra

say "help everywhere"
for command in '' up down list domain 'domain create' 'domain destroy' 'domain list' 'domain shutdown' run attach detach \
    dump check; do
    xenbox $command --help >"$SCRATCH/said" || fail "$command --help"
    grep -q '^usage: xenbox' "$SCRATCH/said" || fail "$command --help has no usage"
    xenbox $command --version | grep -q '^xenbox (xensplit) [0-9]' || fail "$command --version"
done
