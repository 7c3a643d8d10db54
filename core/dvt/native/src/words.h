/* Whole numbers of any size as words of 32 bits, the lowest first. */
#ifndef DVT_WORDS_H
#define DVT_WORDS_H

#include <stdint.h>
#include <string.h>

/* words = words * factor + more. What is counted has room for all digits. */
static inline void multiply(uint32_t *words, int32_t count, uint32_t factor, uint32_t more) {
    uint64_t carry = more;
    for (int32_t i = 0; i < count; i++) {
        carry += (uint64_t)words[i] * factor;
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static inline void negate(uint32_t *words, int32_t count) {
    uint64_t carry = 1;
    for (int32_t i = 0; i < count; i++) {
        carry += (uint32_t)~words[i];
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static inline void store(const uint32_t *words, int32_t count, uint8_t *out) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int32_t i = 0; i < count; i++)
        memcpy(out + 4 * (count - 1 - i), &words[i], 4);
#else
    memcpy(out, words, (size_t)count * 4);
#endif
}

#endif
