/* Bytes that grow, with every sum checked. */
#include "decode.h"

#include <stdlib.h>

int dvt_reserve(dvt_vector *vector, size_t extra) {
    if (extra <= vector->capacity - vector->used)
        return 1;
    if (extra > SIZE_MAX / 2 || vector->used > SIZE_MAX / 2 - extra)
        return 0;
    size_t wanted = vector->used + extra;
    size_t capacity = vector->capacity > SIZE_MAX / 4 ? wanted : vector->capacity * 2;
    if (capacity < vector->hint)
        capacity = vector->hint;
    if (capacity < wanted)
        capacity = wanted;
    if (capacity < 64)
        capacity = 64;
    uint8_t *bytes = realloc(vector->bytes, capacity);
    if (bytes == NULL && capacity > wanted) {
        capacity = wanted;
        bytes = realloc(vector->bytes, capacity);
    }
    if (bytes == NULL)
        return 0;
    vector->bytes = bytes;
    vector->capacity = capacity;
    return 1;
}

int dvt_push_bit(dvt_vector *bits, int64_t at, int bit) {
    if ((at & 7) == 0) {
        if (!dvt_reserve(bits, 1))
            return 0;
        bits->bytes[bits->used++] = 0;
    }
    bits->bytes[at >> 3] |= (uint8_t)(bit << (at & 7));
    return 1;
}

int dvt_push_offset(dvt_vector *offsets, size_t offset) {
    int32_t value = (int32_t)offset; /* the batch ends before there are 2 GB */
    if (!dvt_reserve(offsets, sizeof value))
        return 0;
    memcpy(offsets->bytes + offsets->used, &value, sizeof value);
    offsets->used += sizeof value;
    return 1;
}
