// SPDX-License-Identifier: MIT
/* event_channel.c: see event_channel.h. */
#include <config.h>

#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/domain.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/sink.h"

static struct xb_port *port_at(struct box *box, uint16_t domid, uint32_t port)
{
    return &box->tables->domain[domid].port[port];
}

/* The port if it is in use, else NULL. Any number may be asked. */
static struct xb_port *port_find(struct box *box, uint16_t domid, uint32_t port)
{
    if (!domain_find(box, domid) || port == 0 || port >= XB_MAX_PORTS ||
        XB_LINK_TYPE(atomic_load(&port_at(box, domid, port)->link)) == XB_PORT_FREE)
        return NULL;
    return port_at(box, domid, port);
}

/*
 * The other end of a port, whose link that is, if it is connected, else NULL. Programs can write the tables: a
 * link counts only if the other end says the same.
 */
static struct xb_port *port_peer(struct box *box, uint16_t domid, uint32_t port, uint64_t link)
{
    struct xb_port *peer;

    if (XB_LINK_TYPE(link) != XB_PORT_INTERDOMAIN || XB_LINK_DOMID(link) >= XB_MAX_DOMAINS ||
        XB_LINK_PORT(link) >= XB_MAX_PORTS)
        return NULL;
    peer = port_at(box, XB_LINK_DOMID(link), XB_LINK_PORT(link));
    return atomic_load(&peer->link) == XB_LINK(XB_PORT_INTERDOMAIN, domid, port) ? peer : NULL;
}

#define DELIVER_TRIES 64 /* a word that changes its listener more often than that is being scribbled on */

static void port_deliver(struct box *box, uint16_t domid, uint32_t port)
{
    struct xb_port *raised = port_at(box, domid, port);
    bool is_stale = true;
    uint32_t sink_id = XB_WORD_CONN(atomic_load(&raised->word));

    for (int i = 0; is_stale && i < DELIVER_TRIES; i++)
        sink_id = xb_port_raise(raised, sink_id, &is_stale);
    if (sink_id && !is_stale) {
        struct sink *sink = sink_find(box, sink_id);

        if (sink && sink->domid == domid)
            sink_write(sink, port);
    }
}

static int port_alloc(struct box *box, uint16_t domid, uint64_t link, uint32_t sink)
{
    struct domain *domain = domain_find(box, domid);
    uint32_t limit = box->tables->limits.event_channels;

    if (!domain)
        return -ESRCH;
    for (uint32_t port = 1; port < limit; port++) {
        struct xb_port *free_port = port_at(box, domid, port);

        if (XB_LINK_TYPE(atomic_load(&free_port->link)) != XB_PORT_FREE)
            continue;
        if (port >= domain->port_top)
            atomic_store(&box->tables->domain[domid].port_top, domain->port_top = port + 1);
        domain->port_is_kernel[port] = !sink;
        atomic_store(&free_port->word, XB_WORD(sink, 0));
        atomic_store(&free_port->link, link);
        return port;
    }
    return -ENOSPC;
}

int port_alloc_unbound(struct box *box, uint16_t domid, uint16_t remote_domid, uint32_t sink)
{
    return port_alloc(box, domid, XB_LINK(XB_PORT_UNBOUND, remote_domid, 0), sink);
}

int port_bind_interdomain(struct box *box, uint16_t domid, uint16_t remote_domid, uint32_t remote_port,
                          uint32_t sink)
{
    struct xb_port *remote = port_find(box, remote_domid, remote_port);
    uint64_t link;
    int port;

    if (!domain_find(box, remote_domid))
        return -ESRCH;
    if (!remote)
        return -EINVAL;
    link = atomic_load(&remote->link);
    if (XB_LINK_TYPE(link) != XB_PORT_UNBOUND || XB_LINK_DOMID(link) != domid)
        return -EINVAL;
    port = port_alloc(box, domid, XB_LINK(XB_PORT_INTERDOMAIN, remote_domid, remote_port), sink);
    if (port < 0)
        return port;
    atomic_store(&remote->link, XB_LINK(XB_PORT_INTERDOMAIN, domid, port));
    /* Events that the peer sent while the port was unbound are lost: let the binder look once. */
    port_deliver(box, domid, port);
    return port;
}

int port_bind_virq(struct box *box, uint16_t domid, uint32_t virq, uint32_t sink)
{
    struct domain *domain = domain_find(box, domid);

    if (!domain)
        return -ESRCH;
    if (virq >= NR_VIRQS)
        return -EINVAL;
    for (uint32_t port = 1; port < domain->port_top; port++) {
        uint64_t link = atomic_load(&port_at(box, domid, port)->link);

        if (XB_LINK_TYPE(link) == XB_PORT_VIRQ && XB_LINK_PORT(link) == virq)
            return -EEXIST;
    }
    return port_alloc(box, domid, XB_LINK(XB_PORT_VIRQ, domid, virq), sink);
}

int port_adopt(struct box *box, uint16_t domid, uint32_t port, uint32_t sink)
{
    struct xb_port *adopted = port_find(box, domid, port);
    uint64_t word;

    if (!adopted || !box->domain[domid]->port_is_kernel[port])
        return -EINVAL;
    word = atomic_load(&adopted->word);
    if (XB_WORD_CONN(word))
        return -EBUSY;
    while (!atomic_compare_exchange_weak(&adopted->word, &word, XB_WORD(sink, 0))) {
    }
    if (word & XB_PORT_PENDING)
        port_deliver(box, domid, port);
    return port;
}

static void port_free(struct box *box, uint16_t domid, uint32_t port)
{
    struct xb_port *closed = port_at(box, domid, port);
    struct xb_port *peer = port_peer(box, domid, port, atomic_load(&closed->link));

    if (peer)
        atomic_store(&peer->link, XB_LINK(XB_PORT_UNBOUND, domid, 0));
    atomic_store(&closed->link, 0);
    atomic_store(&closed->word, 0);
}

int port_close(struct box *box, uint16_t domid, uint32_t port)
{
    struct xb_port *closed = port_find(box, domid, port);

    if (!closed)
        return -EINVAL;
    if (box->domain[domid]->port_holds[port])
        atomic_store(&closed->word, 0);
    else
        port_free(box, domid, port);
    return 0;
}

void port_close_all(struct box *box, uint16_t domid, uint32_t sink)
{
    struct domain *domain = domain_find(box, domid);

    if (!domain)
        return;
    for (uint32_t port = 1; port < domain->port_top; port++) {
        struct xb_port *closed = port_at(box, domid, port);
        uint64_t word = atomic_load(&closed->word);

        if (XB_WORD_CONN(word) != sink)
            continue;
        /* What the last listener had not unmasked is pending for the next one. */
        if (domain->port_is_kernel[port])
            atomic_store(&closed->word, word & (XB_PORT_MASKED | XB_PORT_PENDING) ? XB_PORT_PENDING : 0);
        else
            port_close(box, domid, port);
    }
}

int port_send(struct box *box, uint16_t domid, uint32_t port)
{
    struct xb_port *sender = port_find(box, domid, port);
    uint64_t link;

    if (!sender)
        return -EINVAL;
    link = atomic_load(&sender->link);
    if (XB_LINK_TYPE(link) == XB_PORT_VIRQ)
        return -EINVAL;
    if (port_peer(box, domid, port, link))
        port_deliver(box, XB_LINK_DOMID(link), XB_LINK_PORT(link));
    return 0;
}

void port_redeliver(struct box *box, uint16_t domid, uint32_t port)
{
    struct xb_port *raised = port_find(box, domid, port);
    uint64_t word = raised ? atomic_load(&raised->word) : 0;
    struct sink *sink = word & XB_PORT_MASKED ? sink_find(box, XB_WORD_CONN(word)) : NULL;

    /*
     * Whether it might send there is no question: with a forged link it did, and a port that it has raised without a
     * word stays silent. Who hears of a port twice has heard of nothing the second time.
     */
    if (sink && sink->domid == domid)
        sink_write_again(sink, port);
}

void port_forget_all(struct box *box, uint16_t domid)
{
    struct domain *domain = box->domain[domid];

    for (uint32_t port = 1; port < domain->port_top; port++) {
        domain->port_holds[port] = 0;
        port_free(box, domid, port);
    }
    /* What was scribbled over has lost its other end: those that still name the domain are found from there. */
    for (uint32_t other = 0; other < XB_MAX_DOMAINS; other++) {
        for (uint32_t port = 1; box->domain[other] && port < box->domain[other]->port_top; port++) {
            struct xb_port *peer = port_at(box, (uint16_t)other, port);
            uint64_t link = atomic_load(&peer->link);

            if (XB_LINK_TYPE(link) == XB_PORT_INTERDOMAIN && XB_LINK_DOMID(link) == domid)
                atomic_store(&peer->link, XB_LINK(XB_PORT_UNBOUND, domid, 0));
        }
    }
}

int port_hold(struct box *box, uint16_t domid, uint32_t port)
{
    if (!port_find(box, domid, port) || box->domain[domid]->port_holds[port] == UINT16_MAX)
        return -EINVAL;
    box->domain[domid]->port_holds[port]++;
    return 0;
}

void port_unhold(struct box *box, uint16_t domid, uint32_t port)
{
    struct domain *domain = domain_find(box, domid);

    if (!port_find(box, domid, port) || !domain->port_holds[port])
        return;
    port_send(box, domid, port);
    if (--domain->port_holds[port] == 0 && !domain->port_is_kernel[port] &&
        !XB_WORD_CONN(atomic_load(&port_at(box, domid, port)->word)))
        port_free(box, domid, port);
}

void virq_raise(struct box *box, uint32_t virq)
{
    for (uint32_t port = 1; port < box->domain[0]->port_top; port++) {
        uint64_t link = atomic_load(&port_at(box, 0, port)->link);

        if (XB_LINK_TYPE(link) == XB_PORT_VIRQ && XB_LINK_PORT(link) == virq)
            port_deliver(box, 0, port);
    }
}
