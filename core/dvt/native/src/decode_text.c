/* Whether bytes are UTF-8: as RFC 3629 has it, no surrogates, no longer forms than needed, nothing past U+10FFFF. */
#include "decode.h"

static size_t ascii_prefix(const uint8_t *p, size_t length) {
    size_t i = 0;
    for (; length - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < length && p[i] < 0x80)
        i++;
    return i;
}

/* Bytes of the character that begins here, 0 where none does. */
static size_t character(const uint8_t *p, size_t length) {
    uint8_t lead = p[0], low = 0x80, high = 0xBF;
    size_t size;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        size = 2;
    else if ((lead & 0xF0) == 0xE0)
        size = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        size = 4;
    else
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    if (length < size || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

int dvt_is_utf8(const uint8_t *p, size_t length) {
    size_t i = 0;
    while (i < length) {
        i += ascii_prefix(p + i, length - i);
        while (i < length && p[i] >= 0x80) {
            size_t size = character(p + i, length - i);
            if (size == 0)
                return 0;
            i += size;
        }
    }
    return 1;
}
