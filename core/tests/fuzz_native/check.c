#include "fuzz.h"

static uint64_t sum;

void touch(const uint8_t *bytes, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        sum += bytes[i];
}

uint64_t touched(void) { return sum; }

static int bit(const uint8_t *bits, int64_t at) { return bits[at >> 3] >> (at & 7) & 1; }

/* Bytes of a value in Arrow, written here a second time; 0 for bits and texts. */
static int32_t width_of(const dvt_column *type) {
    static const int32_t widths[] = {0, 0, 2, 4, 8, 4, 8, 16, 32, 0, 0, 0, 4, 8, 8, 16, 0, 0, 1};
    return type->kind == DVT_FIXED ? type->scale : widths[type->kind];
}

static void check(const struct ArrowArray *array, const dvt_column *type, int is_list) {
    const uint8_t *valid = array->buffers[0];
    int64_t nulls = 0;
    for (int64_t i = 0; valid != NULL && i < array->length; i++)
        nulls += !bit(valid, i);
    if (nulls != array->null_count)
        fail("null count");
    int32_t width = width_of(type);
    if (!is_list && (width != 0 || type->kind == DVT_BOOL)) {
        touch(array->buffers[1], type->kind == DVT_BOOL ? (array->length + 7) / 8 : array->length * width);
        return;
    }
    const int32_t *offsets = array->buffers[1];
    if (offsets[0] != 0)
        fail("first offset");
    for (int64_t i = 0; i < array->length; i++)
        if (offsets[i + 1] < offsets[i] || (valid && !bit(valid, i) && offsets[i + 1] != offsets[i]))
            fail("offsets");
    if (is_list) {
        if (array->children[0]->length != offsets[array->length])
            fail("elements");
        check(array->children[0], type, 0);
        return;
    }
    touch(array->buffers[2], offsets[array->length]);
    if (type->kind != DVT_BYTES && !dvt_is_utf8(array->buffers[2], (size_t)offsets[array->length]))
        fail("UTF-8");
}

void check_batch(const struct ArrowArray *batch, const shape *of) {
    if (batch->n_children != of->width)
        fail("columns of a batch");
    for (int32_t i = 0; i < of->width; i++) {
        if (batch->children[i]->length != batch->length)
            fail("rows of a column");
        check(batch->children[i], of->types + i, of->types[i].is_list);
    }
}
