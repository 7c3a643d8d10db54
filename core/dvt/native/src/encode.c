/* Arrow record batches as rows of PostgreSQL's COPY ... FROM STDIN (FORMAT binary).
 *
 * The forms are those of the types' `recv` functions; a field is its length in 4 bytes, -1 for NULL, and its bytes
 * (PostgreSQL manual, "COPY", "Binary Format"). Rows are written whole, as many as the caller's buffer takes. */
#include "arrow_c.h"
#include "codec.h"
#include "numeric.h"

#include <stdlib.h>

/* The most that a value of fixed size takes: a numeric of 77 digits has 21 groups and 8 bytes before them. */
#define MOST_FIXED 64
#define ARRAY_HEAD 20

typedef struct {
    uint8_t *at;
    uint8_t *end;
} writer;

/* One column (or the elements of one) with what is read in each row. */
typedef struct {
    const uint8_t *valid;
    const uint8_t *data;
    const int32_t *offsets;
    int64_t offset;
} source;

static source source_of(const struct ArrowArray *array, int32_t kind, int32_t is_list) {
    source found = {NULL, NULL, NULL, array->offset};
    int has_offsets = is_list || kind == DVT_BYTES || kind == DVT_TEXT || kind == DVT_JSONB;
    if (array->null_count != 0 && array->n_buffers > 0) found.valid = array->buffers[0];
    if (has_offsets && array->n_buffers > 1) found.offsets = array->buffers[1];
    if (has_offsets && array->n_buffers > 2) found.data = array->buffers[2];
    if (!has_offsets && array->n_buffers > 1) found.data = array->buffers[1];
    return found;
}

static inline int is_null(const source *from, int64_t index) {
    return from->valid && !(from->valid[index >> 3] >> (index & 7) & 1);
}

static inline int64_t int64_at(const source *from, int64_t index) {
    int64_t value;
    memcpy(&value, from->data + index * 8, 8);
    return value;
}

static inline int32_t int32_at(const source *from, int64_t index) {
    int32_t value;
    memcpy(&value, from->data + index * 4, 4);
    return value;
}

static inline uint8_t *put_int64(uint8_t *p, uint64_t value) { return dvt_put64(dvt_put32(p, 8), value); }
static inline uint8_t *put_int32(uint8_t *p, uint32_t value) { return dvt_put32(dvt_put32(p, 4), value); }

/* PostgreSQL's dates: Julian days from 0 (4714-11-24 BC) to before 5874898-06-03; infinities are the ends of int32. */
static int put_date(uint8_t **p, int32_t days) {
    int64_t moved = (int64_t)days - DVT_EPOCH_DAYS;
    if (days == INT32_MAX || days == -INT32_MAX)
        moved = days == INT32_MAX ? INT32_MAX : INT32_MIN;
    else if (moved < -2451545 || moved >= INT64_C(2145031949))
        return DVT_RANGE;
    *p = put_int32(*p, (uint32_t)(int32_t)moved);
    return DVT_OK;
}

/* Its timestamps: from 4714-11-24 BC to before 294277-01-01; the largest number of Arrow ends before the latter. */
static int put_timestamp(uint8_t **p, int64_t micros) {
    if (micros == INT64_MAX || micros == -INT64_MAX) {
        *p = put_int64(*p, micros == INT64_MAX ? (uint64_t)INT64_MAX : (uint64_t)INT64_MIN);
        return DVT_OK;
    }
    if (micros < INT64_C(-211813488000000000) + DVT_EPOCH_MICROS) return DVT_RANGE;
    *p = put_int64(*p, (uint64_t)(micros - DVT_EPOCH_MICROS));
    return DVT_OK;
}

static int put_time(uint8_t **p, int64_t micros) {
    if (micros < 0 || micros > INT64_C(86400000000)) return DVT_RANGE;
    *p = put_int64(*p, (uint64_t)micros);
    return DVT_OK;
}

/* Arrow: months, days, nanoseconds; PostgreSQL: microseconds, days, months. */
static int put_interval(uint8_t **p, const uint8_t *value) {
    int32_t months, days;
    int64_t nanos;
    memcpy(&months, value, 4);
    memcpy(&days, value + 4, 4);
    memcpy(&nanos, value + 8, 8);
    if (nanos % 1000) return DVT_UNFIT;
    *p = dvt_put64(dvt_put32(*p, 16), (uint64_t)(nanos / 1000));
    *p = dvt_put32(dvt_put32(*p, (uint32_t)days), (uint32_t)months);
    return DVT_OK;
}

static int put_bytes(writer *to, const uint8_t *bytes, int64_t length, int is_jsonb) {
    if (length < 0 || length > INT32_MAX - 1) return DVT_UNFIT;
    if (to->end - to->at < 5 + length) return DVT_SPACE;
    to->at = dvt_put32(to->at, (uint32_t)length + (is_jsonb ? 1 : 0));
    if (is_jsonb) *to->at++ = 1;
    if (length) memcpy(to->at, bytes, (size_t)length);
    to->at += length;
    return DVT_OK;
}

/* One value that is not null. */
static int put_value(writer *to, const dvt_column *column, const source *from, int64_t index) {
    int32_t kind = column->kind;
    if (kind == DVT_BYTES || kind == DVT_TEXT || kind == DVT_JSONB) {
        int64_t start = from->offsets[index], length = from->offsets[index + 1] - start;
        const uint8_t *bytes = length ? from->data + start : NULL; /* where there are no bytes there may be no buffer */
        return put_bytes(to, bytes, length, kind == DVT_JSONB);
    }
    if (kind == DVT_FIXED) {
        int64_t width = column->scale;
        return put_bytes(to, from->data + index * width, width, 0);
    }
    if (to->end - to->at < MOST_FIXED) return DVT_SPACE;
    switch (kind) {
    case DVT_BOOL:
        to->at = dvt_put32(to->at, 1);
        *to->at++ = from->data[index >> 3] >> (index & 7) & 1;
        return DVT_OK;
    case DVT_INT16: {
        int16_t value;
        memcpy(&value, from->data + index * 2, 2);
        to->at = dvt_put16(dvt_put32(to->at, 2), (uint16_t)value);
        return DVT_OK;
    }
    case DVT_INT32:
    case DVT_FLOAT32:
        to->at = put_int32(to->at, (uint32_t)int32_at(from, index));
        return DVT_OK;
    case DVT_INT64:
    case DVT_FLOAT64:
        to->at = put_int64(to->at, (uint64_t)int64_at(from, index));
        return DVT_OK;
    case DVT_DECIMAL128:
        to->at = dvt_put_numeric(to->at, from->data + index * 16, 2, column->scale);
        return DVT_OK;
    case DVT_DECIMAL256:
        to->at = dvt_put_numeric(to->at, from->data + index * 32, 4, column->scale);
        return DVT_OK;
    case DVT_DATE:
        return put_date(&to->at, int32_at(from, index));
    case DVT_TIME:
        return put_time(&to->at, int64_at(from, index));
    case DVT_TIMESTAMP:
        return put_timestamp(&to->at, int64_at(from, index));
    case DVT_INTERVAL:
        return put_interval(&to->at, from->data + index * 16);
    default:
        return DVT_BROKEN;
    }
}

static int put_nullable(writer *to, const dvt_column *column, const source *from, int64_t index) {
    if (!is_null(from, index)) return put_value(to, column, from, index);
    if (to->end - to->at < 4) return DVT_SPACE;
    to->at = dvt_put32(to->at, UINT32_MAX);
    return DVT_OK;
}

/* An array of one dimension with lower bound 1, as `array_recv` reads it; an empty one has no dimension. */
static int put_array(writer *to, const dvt_column *column, const source *list, const source *items, int64_t index) {
    int32_t start = list->offsets[index], end = list->offsets[index + 1], has_null = 0;
    uint8_t *head = to->at;
    if (to->end - to->at < 4 + ARRAY_HEAD) return DVT_SPACE;
    for (int32_t i = start; i < end && !has_null; i++) has_null = is_null(items, items->offset + i);
    uint8_t *body = dvt_put32(head + 4, end > start);
    body = dvt_put32(dvt_put32(body, (uint32_t)has_null), column->element_oid);
    if (end > start) body = dvt_put32(dvt_put32(body, (uint32_t)(end - start)), 1);
    to->at = body;
    for (int32_t i = start; i < end; i++) {
        int code = put_nullable(to, column, items, items->offset + i);
        if (code) return code;
    }
    if (to->at - head - 4 > INT32_MAX) return DVT_UNFIT;
    dvt_put32(head, (uint32_t)(to->at - head - 4));
    return DVT_OK;
}

static int put_cell(writer *to, const dvt_column *column, const source *from, int64_t row) {
    if (!column->is_list || is_null(from, from->offset + row)) return put_nullable(to, column, from, from->offset + row);
    return put_array(to, column, from, from + 1, from->offset + row);
}

/* Whether a text of a column's rows has a NUL character, which PostgreSQL does not store. */
static int has_nul(const dvt_column *column, const source *from, int64_t start, int64_t end) {
    if (column->is_list) {
        if (end <= start) return 0;
        int64_t first = from->offsets[from->offset + start], last = from->offsets[from->offset + end];
        dvt_column items = {column->kind, column->scale, 0, 0};
        return has_nul(&items, from + 1, first, last);
    }
    if (end <= start) return 0;
    const int32_t *offsets = from->offsets + from->offset;
    size_t size = (size_t)(offsets[end] - offsets[start]);
    if (!size || !memchr(from->data + offsets[start], 0, size)) return 0;
    for (int64_t i = start; i < end; i++) { /* it may lie under a null */
        size = (size_t)(offsets[i + 1] - offsets[i]);
        if (size && !is_null(from, from->offset + i) && memchr(from->data + offsets[i], 0, size)) return 1;
    }
    return 0;
}

static int refused(dvt_problem *problem, int32_t code, int32_t column, int64_t row) {
    *problem = (dvt_problem){code, column, row, 0};
    return code;
}

/* Where each column's values lie: two places for each, the second for the elements of a list. */
static source *sources_of(const struct ArrowArray *batch, const dvt_column *columns, int32_t n) {
    source *found = calloc((size_t)n * 2 + 1, sizeof(source));
    for (int32_t c = 0; found && c < n; c++) {
        const struct ArrowArray *child = batch->children[c];
        found[2 * c] = source_of(child, columns[c].kind, columns[c].is_list);
        found[2 * c].offset += batch->offset;
        if (columns[c].is_list) found[2 * c + 1] = source_of(child->children[0], columns[c].kind, 0);
    }
    return found;
}

/* The first row with a text that is refused, in the batch's first call; -1 when there is none. */
static int64_t row_with_nul(const dvt_column *column, const source *from, int64_t length) {
    if (column->kind != DVT_JSONB && column->kind != DVT_TEXT) return -1;
    if (!has_nul(column, from, 0, length)) return -1;
    for (int64_t row = 0; row < length; row++)
        if (!is_null(from, from->offset + row) && has_nul(column, from, row, row + 1)) return row;
    return -1;
}

static int64_t encoded(writer *to, const struct ArrowArray *batch, const dvt_column *columns, int32_t n,
                       const source *sources, int64_t first, int64_t *next, dvt_problem *problem) {
    uint8_t *begin = to->at;
    int64_t row = first;
    for (int32_t c = 0; first == 0 && c < n; c++) {
        int64_t found = row_with_nul(&columns[c], &sources[2 * c], batch->length);
        if (found >= 0) return refused(problem, DVT_NUL, c, found);
    }
    for (; row < batch->length; row++) {
        uint8_t *start = to->at;
        int code = to->end - to->at < 2 ? DVT_SPACE : DVT_OK;
        int32_t c = 0;
        if (!code) to->at = dvt_put16(to->at, (uint16_t)n);
        for (; !code && c < n; c++) code = put_cell(to, &columns[c], &sources[2 * c], row);
        if (!code) continue;
        to->at = start;
        if (code == DVT_SPACE && row > first) break;
        return refused(problem, code, c - 1, row);
    }
    *next = row;
    return to->at - begin;
}

/* Writes rows of a batch.
 *
 * `batch` is a struct array with one child for each of the `n` columns. Rows from `first` on are written to `out`, which
 * takes `size` bytes, as long as whole ones fit; `*next` is the row to go on with. Returns the bytes written, or a
 * negative error with its place in `problem` (DVT_SPACE: not even one row fits). */
DVT_EXPORT int64_t dvt_encode(const struct ArrowArray *batch, const dvt_column *columns, int32_t n, int64_t first,
                              uint8_t *out, int64_t size, int64_t *next, dvt_problem *problem);
DVT_EXPORT int64_t dvt_encode(const struct ArrowArray *batch, const dvt_column *columns, int32_t n, int64_t first,
                              uint8_t *out, int64_t size, int64_t *next, dvt_problem *problem) {
    if (batch->n_children != n || n > INT16_MAX) return refused(problem, DVT_BROKEN, -1, first);
    source *sources = sources_of(batch, columns, n);
    if (!sources) return refused(problem, DVT_MEMORY, -1, first);
    writer to = {out, out + size};
    int64_t written = encoded(&to, batch, columns, n, sources, first, next, problem);
    free(sources);
    return written;
}
