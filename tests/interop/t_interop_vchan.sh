#!/bin/bash
# SPDX-License-Identifier: MIT
# libxenvchan as Debian built it: vchan-socket-proxy in two guests moves 100 MB over shared rings, compared byte for
# byte, and then 20 MB the other way.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need "$XEN_BIN/vchan-socket-proxy"

# move ROLE MIB: random bytes from the end with that role (server or client) to the other.
move() {
    local role=$1 mib=$2 server client node=/local/domain/$server_domid/data/channel
    local -A in=([server]=$SCRATCH/silence [client]=$SCRATCH/silence)
    local -A out=([server]=$SCRATCH/arrived [client]=$SCRATCH/arrived)
    image_make "$SCRATCH/sent" "$mib"
    mkfifo "$SCRATCH/silence" "$SCRATCH/arrived"
    in[$role]=$SCRATCH/sent
    out[$role]=/dev/null
    # An end of the channel closes when its own input ends: the receiver's stays open until all has arrived.
    exec 7<>"$SCRATCH/silence"
    head -c "${mib}M" "$SCRATCH/arrived" >"$SCRATCH/received" 7>&- &
    local receiver=$!
    xenbox run -d "$server_domid" -- "$XEN_BIN/vchan-socket-proxy" -m server "$client_domid" data/channel - \
        <"${in[server]}" >"${out[server]}" 2>"$SCRATCH/server.log" 7>&- &
    server=$!
    wait_store "$node/event-channel" '[0-9]+'
    xenbox run -d "$client_domid" -- "$XEN_BIN/vchan-socket-proxy" -m client "$server_domid" "$node" - \
        <"${in[client]}" >"${out[client]}" 2>"$SCRATCH/client.log" 7>&- &
    client=$!
    wait "$receiver"
    exec 7>&-
    wait "$client"
    wait "$server"
    cmp "$SCRATCH/sent" "$SCRATCH/received"
    say "$mib MiB from the $role to the other end: equal"
    rm "$SCRATCH/silence" "$SCRATCH/arrived"
    in_guest "$server_domid" xenstore-rm data/channel
}

box_up
guest_create server
server_domid=$DOM
guest_create client
client_domid=$DOM
move server 100
move client 20
