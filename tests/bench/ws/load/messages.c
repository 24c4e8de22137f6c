/* The messages, masked and framed before the clock runs: what the client does costs as little as it can. */

#include "load.h"

#include <stdlib.h>
#include <string.h>

struct messages messages;

static uint64_t seed = 0x9E3779B97F4A7C15;

static uint32_t any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* The text of many languages: half ASCII, the rest of two, three and four bytes a character. */
static void put_mixed(uint8_t *to, size_t size)
{
    static const char *const others[] = {"é", "ж", "中", "語", "€", "😀"};
    size_t at = 0;
    while (at < size) {
        const char *character = others[any() % 6];
        size_t length = strlen(character);
        if (any() % 2 && at + length <= size) {
            memcpy(to + at, character, length);
            at += length;
        } else {
            to[at++] = (uint8_t)(' ' + any() % 95);
        }
    }
}

static void put_content(uint8_t *to, size_t size)
{
    if (options.content == MIXED) {
        put_mixed(to, size);
        return;
    }
    for (size_t at = 0; at < size; at++)
        to[at] = options.content == TEXT ? (uint8_t)(' ' + any() % 95) : (uint8_t)any();
}

/* RFC 6455, 5.2 and 5.3. */
size_t put_frame(uint8_t *to, int opcode, const uint8_t *payload, size_t size, uint32_t key)
{
    size_t at = 0;
    to[at++] = (uint8_t)(0x80 | opcode);
    if (size < 126) {
        to[at++] = (uint8_t)(0x80 | size);
    } else if (size < 65536) {
        to[at++] = 0x80 | 126;
        to[at++] = (uint8_t)(size >> 8);
        to[at++] = (uint8_t)size;
    } else {
        to[at++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            to[at++] = (uint8_t)((uint64_t)size >> shift);
    }
    uint8_t mask[4];
    memcpy(mask, &key, 4);
    memcpy(to + at, mask, 4);
    at += 4;
    for (size_t byte = 0; byte < size; byte++)
        to[at + byte] = payload[byte] ^ mask[byte & 3];
    return at + size;
}

void messages_prepare(void)
{
    size_t count = (1u << 20) / (options.size ? options.size : 1);
    messages.count = count < 4 ? 4 : count > 64 ? 64 : (unsigned)count;
    messages.frames = malloc(messages.count * (options.size + 14));
    messages.payloads = malloc(messages.count * options.size + 1);
    if (!messages.frames || !messages.payloads)
        fail("no memory for messages of %zu bytes", options.size);
    int opcode = options.content == BINARY ? 2 : 1;
    for (unsigned number = 0; number < messages.count; number++) {
        uint8_t *payload = messages.payloads + number * options.size;
        put_content(payload, options.size);
        uint8_t *frame = messages.frames + number * messages.frame_length;
        messages.frame_length = put_frame(frame, opcode, payload, options.size, any());
    }
    messages.total = messages.count * messages.frame_length;
}

/* A raw server sends the very bytes back; a WebSocket server the payload, in frames of its own. */
const uint8_t *expected_reply(unsigned number)
{
    number %= messages.count;
    return options.raw ? messages.frames + number * messages.frame_length
                       : messages.payloads + number * options.size;
}

size_t expected_length(void)
{
    return options.raw ? messages.frame_length : options.size;
}
