/* Feeds mutated binary COPY to the decoder by a libpq of its own, for so many seconds: `fuzz_decoder SECONDS SEED`.
   Compiled with the decoder's sources and with sanitizers, which end it at the first wrong step; each batch that comes
   out is checked as Arrow would check it. The same seed gives the same streams. */
#include "decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
    void *connection;
    int (*get_copy_data)(void *, char **, int);
    void (*free_memory)(void *);
    int (*consume_input)(void *);
    int32_t socket;
    int32_t wait_ms;
} source_of_pull; /* dvt_source of pull.c */

dvt_decoder *dvt_decoder_new(const dvt_column *, const int32_t *, int32_t);
void dvt_decoder_free(dvt_decoder *);
int32_t dvt_decoder_export(dvt_decoder *, struct ArrowArray *);
int64_t dvt_decoder_rows(const dvt_decoder *);
const uint8_t *dvt_decoder_refused(const dvt_decoder *, int64_t *, int32_t *);
int32_t dvt_decoder_pull(dvt_decoder *, const source_of_pull *, int64_t, int64_t, dvt_problem *);

enum { KINDS = 17, STREAM_BYTES = 1 << 14, ELEMENT_OID = 4242 };

static uint64_t state;

static uint32_t dice(uint32_t sides) { /* xorshift64*, Vigna 2014 */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 32) % sides;
}

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "wrong: %s\n", what);
    abort();
}

typedef struct {
    uint8_t bytes[STREAM_BYTES];
    size_t used;
} stream;

static void add(stream *to, const void *bytes, size_t count) {
    if (to->used + count <= STREAM_BYTES) {
        memcpy(to->bytes + to->used, bytes, count);
        to->used += count;
    }
}

static void add_number(stream *to, uint64_t number, int bytes) {
    uint8_t out[8];
    dvt_put64(out, number);
    add(to, out + 8 - bytes, (size_t)bytes);
}

static uint64_t any64(void) {
    static const uint64_t edges[] = {0, 1, UINT64_MAX, INT64_MAX, UINT64_C(1) << 63, INT32_MAX, 9223372036854775};
    return dice(3) ? ((uint64_t)dice(UINT32_MAX) << 32 | dice(UINT32_MAX)) >> dice(64) : edges[dice(7)];
}

static void add_scalar(stream *to, const dvt_column *type) {
    stream *value = calloc(1, sizeof *value);
    if (value == NULL)
        abort();
    switch (type->kind) {
    case DVT_BOOL:
        add_number(value, dice(2), 1);
        break;
    case DVT_INT16:
        add_number(value, any64(), 2);
        break;
    case DVT_INT32:
    case DVT_FLOAT32:
    case DVT_DATE:
        add_number(value, any64(), 4);
        break;
    case DVT_DECIMAL128:
    case DVT_DECIMAL256: {
        uint32_t count = dice(8);
        add_number(value, count, 2);
        add_number(value, dice(4) ? dice(4) : any64(), 2);
        add_number(value, dice(20) ? dice(2) * 0x4000 : any64(), 2);
        add_number(value, 4, 2);
        while (count-- > 0)
            add_number(value, dice(3) ? dice(100) * 100 : dice(10000), 2);
        break;
    }
    case DVT_INTERVAL:
        add_number(value, any64() >> 12, 8);
        add_number(value, any64(), 8);
        break;
    case DVT_FIXED:
        add_number(value, any64(), 8);
        add_number(value, any64(), 8);
        break;
    case DVT_JSONB:
        add_number(value, 1, 1); /* and a text: */
        /* fall through */
    case DVT_TEXT:
    case DVT_PADDED:
    case DVT_BYTES:
        for (uint32_t left = dice(20); left > 0; left--) {
            if (dice(5))
                add_number(value, dice(2) ? ' ' : 'a', 1);
            else
                add(value, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9);
        }
        break;
    default: /* 8 bytes */
        add_number(value, type->kind == DVT_TIME ? dice(86400) : any64(), 8);
    }
    add_number(to, value->used, 4);
    add(to, value->bytes, value->used);
    free(value);
}

static void add_value(stream *to, const dvt_column *type) {
    if (dice(5) == 0) {
        add_number(to, UINT32_MAX, 4);
        return;
    }
    if (!type->is_list) {
        add_scalar(to, type);
        return;
    }
    stream *list = calloc(1, sizeof *list);
    if (list == NULL)
        abort();
    uint32_t count = dice(5);
    add_number(list, count > 0, 4);
    add_number(list, dice(2), 4);
    add_number(list, ELEMENT_OID, 4);
    if (count > 0) {
        add_number(list, count, 4);
        add_number(list, 1, 4);
    }
    for (; count > 0; count--) {
        if (dice(4) == 0)
            add_number(list, UINT32_MAX, 4);
        else
            add_scalar(list, type);
    }
    add_number(to, list->used, 4);
    add(to, list->bytes, list->used);
    free(list);
}

static void mutate(stream *it) {
    static const uint32_t lengths[] = {INT32_MAX, UINT32_MAX, UINT32_MAX - 1, 0, 1, 0x80000000u, 0x7FFFFFF0u};
    for (uint32_t left = dice(4) ? dice(4) : dice(40); left > 0 && it->used > 8; left--) {
        size_t at = dice((uint32_t)it->used - 4), count = dice(8) + 1;
        switch (dice(5)) {
        case 0:
            it->bytes[at] = (uint8_t)dice(256);
            break;
        case 1:
            it->bytes[at] ^= (uint8_t)(1 << dice(8));
            break;
        case 2:
            dvt_put32(it->bytes + at, lengths[dice(7)]);
            break;
        case 3:
            count = count < it->used - at ? count : it->used - at;
            memmove(it->bytes + at, it->bytes + at + count, it->used - at - count);
            it->used -= count;
            break;
        default:
            if (it->used + count <= STREAM_BYTES) {
                memmove(it->bytes + at + count, it->bytes + at, it->used - at);
                it->used += count;
            }
        }
    }
}

/* The stream, cut into messages of exactly their size, so that a step past one is seen. */
static const stream *given;
static size_t position;
static int end;

static int get_copy_data(void *connection, char **buffer, int async) {
    (void)connection;
    (void)async;
    if (position == given->used)
        return end;
    if (dice(8) == 0)
        return 0;
    size_t left = given->used - position, count = dice(6) ? left : dice((uint32_t)left) + 1;
    *buffer = malloc(count);
    if (*buffer == NULL)
        abort();
    memcpy(*buffer, given->bytes + position, count);
    position += count;
    return (int)count;
}

static int consume_input(void *connection) {
    (void)connection;
    return dice(200) != 0;
}

static int bit(const uint8_t *bits, int64_t at) { return bits[at >> 3] >> (at & 7) & 1; }

static uint64_t touched; /* every byte of a batch is read */

static void touch(const uint8_t *bytes, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        touched += bytes[i];
}

static int32_t width_of(int32_t kind) {
    static const int32_t widths[] = {0, 0, 2, 4, 8, 4, 8, 16, 32, 0, 0, 16, 4, 8, 8, 16, 0, 0};
    return widths[kind];
}

static void check(const struct ArrowArray *array, const dvt_column *type, int is_list) {
    const uint8_t *valid = array->buffers[0];
    int64_t nulls = 0;
    for (int64_t i = 0; valid != NULL && i < array->length; i++)
        nulls += !bit(valid, i);
    if (nulls != array->null_count)
        fail("null count");
    int32_t width = width_of(type->kind);
    if (is_list || (width == 0 && type->kind != DVT_BOOL)) {
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
    } else {
        touch(array->buffers[1], type->kind == DVT_BOOL ? (array->length + 7) / 8 : array->length * width);
    }
}

static void export_batch(dvt_decoder *decoder, const dvt_column *types, int32_t width) {
    struct ArrowArray batch;
    int64_t rows = dvt_decoder_rows(decoder);
    if (dvt_decoder_export(decoder, &batch) != DVT_OK)
        fail("export");
    if (batch.length != rows || batch.n_children != width)
        fail("rows of a batch");
    for (int32_t i = 0; i < width; i++) {
        if (batch.children[i]->length != rows)
            fail("rows of a column");
        check(batch.children[i], types + i, types[i].is_list);
    }
    if (dice(2)) { /* a consumer may take a child out */
        struct ArrowArray child = *batch.children[0];
        batch.children[0]->release = NULL;
        batch.release(&batch);
        child.release(&child);
    } else {
        batch.release(&batch);
    }
}

static int32_t once(stream *made) {
    dvt_column types[8];
    int32_t precisions[8], width = (int32_t)dice(8) + 1;
    for (int32_t i = 0; i < width; i++) {
        types[i] = (dvt_column){(int32_t)dice(KINDS) + 1, 0, (int32_t)dice(2), ELEMENT_OID};
        int is_decimal = types[i].kind == DVT_DECIMAL128 || types[i].kind == DVT_DECIMAL256;
        precisions[i] = is_decimal ? (int32_t)dice(types[i].kind == DVT_DECIMAL128 ? 38 : 76) + 1 : 0;
        types[i].scale = is_decimal ? (int32_t)dice((uint32_t)precisions[i] + 1) : types[i].kind == DVT_FIXED ? 16 : 0;
    }
    made->used = 0;
    add(made, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", 19);
    for (uint32_t rows = dice(30); rows > 0; rows--) {
        add_number(made, (uint64_t)width, 2);
        for (int32_t i = 0; i < width; i++)
            add_value(made, types + i);
    }
    add_number(made, UINT16_MAX, 2);
    if (dice(4))
        mutate(made);
    given = made;
    position = 0;
    end = dice(10) ? -1 : -2;
    source_of_pull source = {NULL, get_copy_data, free, consume_input, -1, 0};
    dvt_decoder *decoder = dvt_decoder_new(types, precisions, width);
    if (decoder == NULL)
        fail("a decoder");
    dvt_problem problem = {0, 0, 0, 0};
    int64_t rows = dice(3) ? dice(10) + 1 : 1000, bytes = dice(3) ? 1 << 20 : dice(400) + 1;
    int32_t outcome;
    do {
        outcome = dvt_decoder_pull(decoder, &source, rows, bytes, &problem);
        if (outcome >= 0 && dvt_decoder_rows(decoder) > 0 && outcome != 2)
            export_batch(decoder, types, width);
    } while (outcome == 0 || outcome == 2);
    if (outcome < 0) {
        int64_t length;
        int32_t is_element;
        const uint8_t *value = dvt_decoder_refused(decoder, &length, &is_element);
        if (value != NULL)
            touch(value, length);
        if (problem.code != outcome || problem.column >= width)
            fail("problem");
    }
    dvt_decoder_free(decoder);
    return outcome;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s SECONDS SEED\n", argv[0]);
        return 2;
    }
    double seconds = atof(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10), streams = 0, whole = 0;
    stream *made = calloc(1, sizeof *made);
    time_t begun = time(NULL);
    for (; difftime(time(NULL), begun) < seconds; streams++) {
        state = (seed + streams) * UINT64_C(0x9E3779B97F4A7C15) + 1; /* a failing one can be run alone */
        whole += once(made) == 1;
    }
    free(made);
    printf("%llu streams, %llu of them whole, seed %llu, checksum %llu\n", (unsigned long long)streams,
           (unsigned long long)whole, (unsigned long long)seed, (unsigned long long)touched);
    return 0;
}
