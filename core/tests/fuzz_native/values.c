/* One value of an Arrow array, found by Arrow's rules and not by the codec's functions. */
#include "batches.h"

int is_null(const struct ArrowArray *array, int64_t at) {
    const uint8_t *valid = array->null_count == 0 ? NULL : array->buffers[0];
    return valid != NULL && !(valid[at / 8] & 1 << at % 8);
}

const uint8_t *value_at(const struct ArrowArray *array, const dvt_column *type, int64_t at, size_t *size) {
    static const uint8_t bits[] = {0, 1};
    static const uint8_t widths[] = {0, 0, 2, 4, 8, 4, 8, 16, 32, 0, 0, 0, 4, 8, 8, 16, 0};
    const uint8_t *values = array->buffers[1];
    if (type->kind == DVT_BOOL) {
        *size = 1;
        return bits + (values[at / 8] >> at % 8 & 1);
    }
    if (type->kind == DVT_TEXT || type->kind == DVT_JSONB || type->kind == DVT_BYTES) {
        const int32_t *offsets = array->buffers[1];
        *size = (size_t)(offsets[at + 1] - offsets[at]);
        return *size ? (const uint8_t *)array->buffers[2] + offsets[at] : bits;
    }
    *size = type->kind == DVT_FIXED ? (size_t)type->scale : widths[type->kind];
    return values + (size_t)at * *size;
}

static int64_t number_at(const uint8_t *value, size_t size) {
    int32_t small;
    int64_t large;
    memcpy(&small, value, 4);
    if (size == 4)
        return small;
    memcpy(&large, value, 8);
    return large;
}

int is_unfit(const struct ArrowArray *array, const dvt_column *type, int64_t at) {
    if (is_null(array, at))
        return 0;
    if (type->is_list) {
        const int32_t *offsets = array->buffers[1];
        const struct ArrowArray *items = array->children[0];
        dvt_column of_items = {type->kind, type->scale, 0, 0};
        int found = 0;
        for (int32_t i = offsets[at]; i < offsets[at + 1]; i++)
            found |= is_unfit(items, &of_items, items->offset + i);
        return found;
    }
    size_t size;
    const uint8_t *value = value_at(array, type, at, &size);
    int64_t number = size == 4 || size == 8 ? number_at(value, size) : 0;
    switch (type->kind) {
    case DVT_TEXT:
    case DVT_JSONB:
        return size && memchr(value, 0, size) != NULL;
    case DVT_DATE:
        return number != INT32_MAX && number != -INT32_MAX && (number < -2440588 || number > 2145042905);
    case DVT_TIME:
        return number < 0 || number > INT64_C(86400000000);
    case DVT_TIMESTAMP:
        return number != -INT64_MAX && number < INT64_C(-210866803200000000);
    case DVT_INTERVAL:
        return number_at(value + 8, 8) % 1000 != 0;
    default:
        return 0;
    }
}

int is_same(const dvt_column *type, const struct ArrowArray *a, int64_t at, const struct ArrowArray *b, int64_t other) {
    if (is_null(a, at) || is_null(b, other))
        return is_null(a, at) && is_null(b, other);
    if (type->is_list) {
        const int32_t *one = (const int32_t *)a->buffers[1] + at, *two = (const int32_t *)b->buffers[1] + other;
        const struct ArrowArray *items = a->children[0], *others = b->children[0];
        dvt_column of_items = {type->kind, type->scale, 0, 0};
        if (one[1] - one[0] != two[1] - two[0])
            return 0;
        for (int32_t i = 0; i < one[1] - one[0]; i++)
            if (!is_same(&of_items, items, items->offset + one[0] + i, others, others->offset + two[0] + i))
                return 0;
        return 1;
    }
    size_t size, other_size;
    const uint8_t *value = value_at(a, type, at, &size), *other_value = value_at(b, type, other, &other_size);
    return size == other_size && memcmp(value, other_value, size) == 0;
}
