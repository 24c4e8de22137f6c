/* What octets.pyx does to every octet, as loops that a C compiler turns into vector instructions. */

#ifndef IOTO_OCTETS_H
#define IOTO_OCTETS_H

#include <stdint.h>
#include <string.h>

/* Two versions, for every x86-64 and for AVX2, between which glibc's dynamic linker chooses. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define IOTO_VECTORS __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef IOTO_VECTORS
#define IOTO_VECTORS
#endif

#define IOTO_HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t ioto_load(const uint8_t *source)
{
    uint64_t word;
    memcpy(&word, source, 8);
    return word;
}

/* XOR with the masking key, given as it stands in memory, so that the order of its bytes does not matter. The target
   may be the source. Returns 0 if all of the target is ASCII. */
static inline uint64_t ioto_xor_inline(uint8_t *target, const uint8_t *source, size_t size, uint32_t key)
{
    uint64_t wide = ((uint64_t) key << 32) | key;
    uint64_t word, seen = 0;
    size_t i = 0;

    for (; i + 8 <= size; i += 8) {
        word = ioto_load(source + i) ^ wide;
        seen |= word;
        memcpy(target + i, &word, 8);
    }
    if (i < size) {
        uint8_t rest[8] = {0};
        memcpy(rest, source + i, size - i);
        word = ioto_load(rest) ^ wide;
        memcpy(rest, &word, 8);
        memset(rest + (size - i), 0, 8 - (size - i));
        seen |= ioto_load(rest);
        memcpy(target + i, rest, size - i);
    }
    return seen & IOTO_HIGH_BITS;
}

IOTO_VECTORS static uint64_t ioto_xor_long(uint8_t *target, const uint8_t *source, size_t size, uint32_t key)
{
    return ioto_xor_inline(target, source, size, key);
}

static inline uint64_t ioto_xor(uint8_t *target, const uint8_t *source, size_t size, uint32_t key)
{
    return size < 128 ? ioto_xor_inline(target, source, size, key) : ioto_xor_long(target, source, size, key);
}

/* The key behind count more octets, again as it would stand in memory. */
static inline uint32_t ioto_rotate(uint32_t key, size_t count)
{
    uint8_t octets[8];
    memcpy(octets, &key, 4);
    memcpy(octets + 4, &key, 4);
    memcpy(&key, octets + (count & 3), 4);
    return key;
}

static inline int ioto_header_size(uint64_t size)
{
    return size < 126 ? 2 : size < 65536 ? 4 : 10;
}

/* The header of a frame that is not masked (RFC 6455, 5.2). */
static inline void ioto_write_header(uint8_t *target, uint8_t first, uint64_t size)
{
    int width = ioto_header_size(size), i;

    target[0] = first;
    target[1] = width == 2 ? (uint8_t) size : width == 4 ? 126 : 127;
    for (i = width - 1; i > 1; i--) {
        target[i] = (uint8_t) size;
        size >>= 8;
    }
}

/* The boundary behind the last whole character of text that may end inside one, or -1 at an octet that cannot be
   UTF-8 (RFC 3629, section 4: the table of its ABNF, as ranges of the second octet). */
static int64_t ioto_text_end(const uint8_t *text, int64_t start, int64_t size)
{
    int64_t i = start;

    while (i < size) {
        uint8_t lead = text[i], low = 0x80, high = 0xBF;
        int64_t more, j;

        if (lead < 0x80) {
            i++;
            while (i + 8 <= size && !(ioto_load(text + i) & IOTO_HIGH_BITS)) {
                i += 8;
            }
            continue;
        }
        if (lead >= 0xC2 && lead <= 0xDF) {
            more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            if (lead == 0xE0) {
                low = 0xA0;
            } else if (lead == 0xED) {
                high = 0x9F;
            }
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            if (lead == 0xF0) {
                low = 0x90;
            } else if (lead == 0xF4) {
                high = 0x8F;
            }
        } else {
            return -1;
        }
        for (j = 1; j <= more; j++) {
            if (i + j == size) {
                return i;
            }
            if (text[i + j] < low || text[i + j] > high) {
                return -1;
            }
            low = 0x80;
            high = 0xBF;
        }
        i += more + 1;
    }
    return i;
}

#endif
