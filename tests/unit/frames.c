// SPDX-License-Identifier: MIT
/*
 * frames.c: see frames.h.
 */
#include <config.h>

#include "tests/unit/frames.h"

#include <string.h>

static uint8_t *put16(uint8_t *at, unsigned int value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint32_t transport_bytes(const struct frame_recipe *recipe)
{
    if (recipe->protocol == 6)
        return 20u + recipe->tcp_options_bytes + recipe->payload_bytes;
    return 8u + recipe->payload_bytes;
}

static uint8_t *put_ip(uint8_t *at, const struct frame_recipe *recipe)
{
    const uint32_t inner = transport_bytes(recipe);

    if (recipe->version == 4) {
        const uint32_t header = 20u + recipe->ip_options_bytes;

        memset(at, 1, header); /* options: no-operation */
        at[0] = (uint8_t)(0x40 | header / 4);
        put16(at + 2, header + inner);
        put16(at + 6, recipe->is_fragment ? 0x2000 : 0x4000);
        at[9] = recipe->protocol;
        memcpy(at + 12, "\x0a\x00\x00\x01\xc0\xa8\xff\xfe", 8);
        return at + header;
    }
    memset(at, 0, 40u + recipe->extension_bytes);
    at[0] = 0x60;
    put16(at + 4, recipe->extension_bytes + inner);
    at[6] = recipe->extension_bytes ? 60 : recipe->is_fragment ? 44 : recipe->protocol;
    at[7] = 64;
    for (unsigned int i = 8; i < 40; i++)
        at[i] = (uint8_t)(0xf0 + i * 7);
    if (recipe->extension_bytes) {
        at[40] = recipe->protocol;
        at[41] = recipe->extension_bytes / 8 - 1;
    }
    return at + 40 + recipe->extension_bytes;
}

uint32_t frame_make(uint8_t *bytes, const struct frame_recipe *recipe, uint32_t *transport)
{
    uint8_t *at = bytes + 12, *l4;

    *transport = 0;
    memcpy(bytes, "\x00\x16\x3e\x01\x02\x03\x00\x16\x3e\x04\x05\x06", 12);
    for (unsigned int i = 0; i < recipe->tags; i++) {
        at = put16(at, i + 1 < recipe->tags ? 0x88a8 : 0x8100);
        at = put16(at, 42);
    }
    at = put16(at, recipe->version == 4 ? 0x0800 : recipe->version == 6 ? 0x86dd : 0x0806);
    if (recipe->version == 0) {
        memset(at, 7, 46);
        return (uint32_t)(at - bytes) + 46;
    }
    l4 = put_ip(at, recipe);
    memset(l4, 0, 60);
    at = l4 + transport_bytes(recipe);
    for (uint32_t i = 0; i < recipe->payload_bytes; i++)
        at[-1 - (int)i] = (uint8_t)(i * 31 + 5);
    if (recipe->protocol == 6) {
        l4[12] = (uint8_t)((20 + recipe->tcp_options_bytes) / 4 << 4);
        l4[13] = recipe->has_cwr ? 0x90 : 0x10;
    } else if (recipe->protocol == 17) {
        put16(l4 + 4, 8u + recipe->payload_bytes);
    }
    put16(l4, 5201);
    put16(l4 + 2, 40000);
    memset(at, 0xee, recipe->padding_bytes);
    if ((recipe->protocol == 6 || recipe->protocol == 17) && !recipe->is_fragment) {
        *transport = (uint32_t)(l4 - bytes);
        put16(l4 + (recipe->protocol == 6 ? 16 : 6), frame_csum(bytes, recipe, *transport));
    }
    return (uint32_t)(at - bytes) + recipe->padding_bytes;
}

uint16_t frame_csum(const uint8_t *bytes, const struct frame_recipe *recipe, uint32_t transport)
{
    const uint32_t inner = transport_bytes(recipe), field = transport + (recipe->protocol == 6 ? 16 : 6);
    const uint32_t addresses = recipe->version == 4 ? 8 : 32;
    const uint32_t addresses_at =
        transport - (recipe->version == 4 ? recipe->ip_options_bytes : recipe->extension_bytes) - addresses;
    uint32_t sum = inner + recipe->protocol;

    for (uint32_t i = 0; i < addresses; i++)
        sum += (uint32_t)bytes[addresses_at + i] << (i % 2 ? 0 : 8);
    for (uint32_t i = 0; i < inner; i++)
        if (transport + i != field && transport + i != field + 1)
            sum += (uint32_t)bytes[transport + i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    return (uint16_t)(sum == 0 && recipe->protocol == 17 ? 0xffff : sum);
}
