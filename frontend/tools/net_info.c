// SPDX-License-Identifier: MIT
/*
 * net_info.c: `xenfront net info`: what was negotiated with the backend.
 */
#include <config.h>

#include <stddef.h>
#include <stdio.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/facts.h"

#define AT(field) offsetof(struct xenfront_net_info, field)

static const struct fact facts[] = {
    { "backend", "backend", FACT_TEXT, AT(backend_path) },
    { "backend_domid", "backend's domain", FACT_32, AT(backend_domid) },
    { "mac", "our address", FACT_MAC, AT(mac) },
    { "mtu", "MTU", FACT_32, AT(mtu) },
    { "link_up", "link is up", FACT_FLAG, AT(is_link_up) },
    { "sg", "scatter-gather", FACT_FLAG, AT(can_sg) },
    { "csum_ipv4", "blank checksum, IPv4", FACT_FLAG, AT(can_csum_ipv4) },
    { "csum_ipv6", "blank checksum, IPv6", FACT_FLAG, AT(can_csum_ipv6) },
    { "gso_tcpv4", "segmentation, IPv4", FACT_FLAG, AT(can_gso_tcpv4) },
    { "gso_tcpv6", "segmentation, IPv6", FACT_FLAG, AT(can_gso_tcpv6) },
    { "split_channels", "split event channels", FACT_FLAG, AT(is_split) },
    { "max_queues", "queues offered", FACT_32, AT(max_queues) },
    { "ring_slots", "ring slots", FACT_32, AT(ring_slots) },
    { "tx_pages", "granted pages, out", FACT_32, AT(tx_pages) },
    { "rx_pages", "granted pages, in", FACT_32, AT(rx_pages) },
};

int command_net_info(struct net_session *session)
{
    json_t *result;

    if (!session->settings->is_json) {
        printf("%s\n", xenfront_net_name(session->net));
        facts_print(facts, FACTS_OF(facts), &session->info);
        printf("  %-22s %.2f ms\n", "connected in", session->connect_s * 1e3);
        return TOOL_OK;
    }
    result = json_pack("{s:I}", "devid", (json_int_t)session->info.devid);
    facts_json(facts, FACTS_OF(facts), &session->info, result);
    json_object_set_new(result, "connect_ms", json_real(session->connect_s * 1e3));
    print_json(result);
    return TOOL_OK;
}
