#include "batches.h"

#include <stdlib.h>

#define FIRST_DAY (-2440588)
#define LAST_DAY 2145042905
#define DAY_MICROS INT64_C(86400000000)
#define FIRST_MICROS (INT64_C(-211813488000000000) + DVT_EPOCH_MICROS)

static int is_text(const dvt_column *type) {
    return type->kind == DVT_TEXT || type->kind == DVT_JSONB || type->kind == DVT_BYTES;
}

static size_t width_of(const dvt_column *type) {
    static const uint8_t widths[] = {0, 0, 2, 4, 8, 4, 8, 16, 32, 0, 0, 0, 4, 8, 8, 16, 0};
    return type->kind == DVT_FIXED ? (size_t)type->scale : widths[type->kind];
}

/* Memory of so many bytes at random; none for none, as Arrow allows. */
static uint8_t *random_bytes(size_t count) {
    uint8_t *bytes = count ? malloc(count) : NULL;
    if (count && bytes == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)dice(256);
    return bytes;
}

static int64_t between(int64_t low, int64_t high) {
    if (dice(8) == 0)
        return dice(2) ? low : high;
    uint64_t span = (uint64_t)high - (uint64_t)low;
    return (int64_t)((uint64_t)low + (span == UINT64_MAX ? any64() : any64() % (span + 1)));
}

/* Any number, or one at the edges of what fits. */
static int64_t around(int64_t low, int64_t high) {
    return dice(2) ? (int64_t)any64() : (dice(2) ? low : high) - 1 + dice(3);
}

/* A number of at most so many digits, in two's complement, least word first. */
static void put_number(uint8_t *to, int words, int32_t digits) {
    uint64_t value[4] = {0}, carry = 1;
    int64_t bits = (int64_t)digits * 3321928 / 1000000;
    for (int i = 0; i < words && bits > 0; i++, bits -= 64)
        value[i] = (dice(2) ? any64() : ~any64()) & (bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1);
    for (int i = 0, is_negative = (int)dice(2); is_negative && i < words; i++) {
        value[i] = ~value[i] + carry;
        carry = carry && value[i] == 0;
    }
    memcpy(to, value, (size_t)words * 8);
}

static void put_interval(uint8_t *to, int is_wild) {
    int64_t nanos = is_wild ? (int64_t)any64() : between(-(INT64_MAX / 1000), INT64_MAX / 1000) * 1000;
    memcpy(to + 8, &nanos, 8);
}

/* A value over what is there at random. */
static void put_fixed(uint8_t *to, const dvt_column *type, int32_t precision, int is_wild) {
    int32_t days;
    int64_t micros;
    switch (type->kind) {
    case DVT_DECIMAL128:
        put_number(to, 2, precision);
        break;
    case DVT_DECIMAL256:
        put_number(to, 4, precision);
        break;
    case DVT_DATE:
        days = (int32_t)(is_wild ? around(FIRST_DAY, LAST_DAY) : between(FIRST_DAY, LAST_DAY));
        days = dice(10) ? days : dice(2) ? INT32_MAX : -INT32_MAX;
        memcpy(to, &days, 4);
        break;
    case DVT_TIME:
        micros = is_wild ? around(0, DAY_MICROS) : between(0, DAY_MICROS);
        memcpy(to, &micros, 8);
        break;
    case DVT_TIMESTAMP:
        micros = is_wild ? around(FIRST_MICROS, INT64_MAX - 1) : between(FIRST_MICROS, INT64_MAX - 1);
        micros = dice(10) ? micros : dice(2) ? INT64_MAX : -INT64_MAX;
        memcpy(to, &micros, 8);
        break;
    case DVT_INTERVAL:
        put_interval(to, is_wild);
        break;
    default:
        break;
    }
}

/* ASCII, so that any cut of it is UTF-8. */
static void put_texts(uint8_t *to, size_t count, int is_wild) {
    for (size_t i = 0; i < count; i++)
        to[i] = (uint8_t)(is_wild && dice(30) == 0 ? 0 : dice(127) + 1);
}

/* Offsets that begin anywhere; where they end. */
static int32_t *random_offsets(int64_t length, uint32_t most) {
    int32_t *offsets = (int32_t *)(void *)random_bytes((size_t)(length + 1) * 4);
    offsets[0] = dice(2) ? 0 : (int32_t)dice(5);
    for (int64_t i = 0; i < length; i++)
        offsets[i + 1] = offsets[i] + (int32_t)dice(dice(20) ? most : 20 * most);
    return offsets;
}

static void fill(struct ArrowArray *array, const shape *of, int32_t column, int is_list, int64_t length, int is_wild) {
    const dvt_column *type = of->types + column;
    *array = (struct ArrowArray){.length = length, .offset = dice(2) ? 0 : dice(12), .null_count = -1};
    int64_t all = length + array->offset;
    int is_long = is_list || is_text(type);
    const void **buffers = calloc(3, sizeof *buffers);
    if (buffers == NULL)
        abort();
    array->buffers = buffers;
    array->n_buffers = is_long && !is_list ? 3 : 2;
    if (dice(3))
        buffers[0] = random_bytes((size_t)(all + 7) / 8);
    else
        array->null_count = dice(2) ? 0 : -1;
    if (is_long) {
        int32_t *offsets = random_offsets(all, is_list ? 4 : 12);
        buffers[1] = offsets;
        if (is_list) {
            array->n_children = 1;
            array->children = malloc(sizeof *array->children);
            if (array->children == NULL || (array->children[0] = malloc(sizeof *array)) == NULL)
                abort();
            fill(array->children[0], of, column, 0, offsets[all], is_wild);
            return;
        }
        uint8_t *bytes = random_bytes((size_t)offsets[all]);
        if (type->kind != DVT_BYTES)
            put_texts(bytes, (size_t)offsets[all], is_wild);
        buffers[2] = bytes;
        return;
    }
    size_t width = width_of(type);
    uint8_t *bytes = random_bytes(type->kind == DVT_BOOL ? (size_t)(all + 7) / 8 : (size_t)all * width);
    for (int64_t i = 0; width && i < all; i++) /* what lies under a NULL may be anything */
        if (!is_null(array, i) || dice(2))
            put_fixed(bytes + (size_t)i * width, type, of->precisions[column], is_wild && dice(10) == 0);
    buffers[1] = bytes;
}

made_batch *new_batch(int is_wild) {
    uint8_t head[HEAD];
    for (int i = 0; i < HEAD; i++)
        head[i] = (uint8_t)dice(256);
    made_batch *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    made->of = shape_of(head);
    int64_t length = dice(25), offset = dice(2) ? 0 : dice(10);
    for (int32_t i = 0; i < made->of.width; i++) {
        dvt_column *type = made->of.types + i;
        if (type->kind == DVT_PADDED)
            type->kind = DVT_TEXT; /* what the encoder writes for it */
        made->children[i] = malloc(sizeof **made->children);
        if (made->children[i] == NULL)
            abort();
        fill(made->children[i], &made->of, i, type->is_list, length + offset, is_wild);
        if (is_wild && (type->kind == DVT_DECIMAL128 || type->kind == DVT_DECIMAL256) && dice(3) == 0) {
            type->scale = -(int32_t)dice(40) - 1;
            made->has_negative_scale = 1;
        }
    }
    made->array = (struct ArrowArray){.length = length, .offset = offset, .n_buffers = 1, .buffers = made->buffers,
                                      .n_children = made->of.width, .children = made->children};
    return made;
}

static void clear(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_buffers; i++)
        free((void *)(uintptr_t)array->buffers[i]);
    free(array->buffers);
    if (array->n_children)
        clear(array->children[0]);
    free(array->children);
    free(array);
}

void free_batch(made_batch *batch) {
    for (int32_t i = 0; i < batch->of.width; i++)
        clear(batch->children[i]);
    free(batch);
}
