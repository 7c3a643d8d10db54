/* Values onto columns, for whoever reads rows: each function says DVT_OK, DVT_MEMORY, or what is wrong with a value. */
#ifndef DVT_BUILDING_H
#define DVT_BUILDING_H

#include "decode.h"

static inline int32_t put(dvt_building *column, const void *value, size_t width) {
    if (!dvt_reserve(&column->values, width))
        return DVT_MEMORY;
    memcpy(column->values.bytes + column->values.used, value, width);
    column->values.used += width;
    return DVT_OK;
}

static inline int32_t put_int32(dvt_building *column, int32_t value) { return put(column, &value, sizeof value); }
static inline int32_t put_int64(dvt_building *column, int64_t value) { return put(column, &value, sizeof value); }

static inline int32_t put_bytes(dvt_building *column, const uint8_t *p, size_t length) {
    int32_t error = put(column, p, length);
    if (error == DVT_OK && !dvt_push_offset(&column->offsets, column->values.used))
        error = DVT_MEMORY;
    return error;
}

static inline int32_t put_text(dvt_building *column, const uint8_t *p, size_t length) {
    return dvt_is_utf8(p, length) ? put_bytes(column, p, length) : DVT_UTF8;
}

/* What stands where there is no value. */
static inline int put_nothing(dvt_building *column) {
    static const uint8_t zeros[32] = {0};
    if (column->type.is_list)
        return dvt_push_offset(&column->offsets, (size_t)column->elements->length);
    if (column->type.kind == DVT_BOOL)
        return dvt_push_bit(&column->values, column->length, 0);
    if (column->width == 0)
        return dvt_push_offset(&column->offsets, column->values.used);
    for (int32_t left = column->width; left > 0; left -= (int32_t)sizeof zeros) /* DVT_FIXED has any width */
        if (put(column, zeros, left < (int32_t)sizeof zeros ? (size_t)left : sizeof zeros) != DVT_OK)
            return 0;
    return 1;
}

static inline int32_t put_null(dvt_building *column) {
    if (column->nulls == 0) {
        size_t bytes = ((size_t)column->length + 7) / 8;
        if (!dvt_reserve(&column->valid, bytes + 1))
            return DVT_MEMORY;
        memset(column->valid.bytes, 0xFF, bytes);
        column->valid.used = bytes;
        if (column->length & 7)
            column->valid.bytes[bytes - 1] = (uint8_t)((1 << (column->length & 7)) - 1);
    }
    if (!dvt_push_bit(&column->valid, column->length, 0) || !put_nothing(column))
        return DVT_MEMORY;
    column->nulls++;
    column->length++;
    return DVT_OK;
}

static inline int32_t counted(dvt_building *column) {
    if (column->nulls > 0 && !dvt_push_bit(&column->valid, column->length, 1))
        return DVT_MEMORY;
    column->length++;
    return DVT_OK;
}

#endif
