/* Packets of MySQL's text protocol, right and wrong ones, for so many seconds: `fuzz_mysql SECONDS SEED`. The buffer has
   exactly their size, and so a step past a value, a row or a packet ends it. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t dvt_mysql_walk(const uint8_t *, int64_t, int64_t, int64_t *, int64_t, int64_t *);
int32_t dvt_mysql_decode(dvt_decoder *, const uint8_t *, const int64_t *, int64_t, int64_t, uint8_t *);

enum { MOST_ROWS = 40 };

static shape random_shape(void) {
    static const int32_t kinds[] = {DVT_INT8, DVT_INT16, DVT_INT32, DVT_INT64, DVT_DECIMAL128, DVT_DATE,
                                    DVT_TIME, DVT_TIMESTAMP, DVT_FIXED, DVT_TEXT, DVT_BYTES};
    shape made = {.width = (int32_t)dice(COLUMNS) + 1};
    for (int32_t i = 0; i < made.width; i++) {
        dvt_column *type = made.types + i;
        type->kind = kinds[dice(sizeof kinds / sizeof *kinds)];
        made.precisions[i] = type->kind == DVT_DECIMAL128 ? (int32_t)dice(38) + 1 : 0;
        type->scale = type->kind == DVT_DECIMAL128 ? (int32_t)dice((uint32_t)made.precisions[i] + 1)
                      : type->kind == DVT_FIXED    ? 16
                                                   : (int32_t)dice(2);
    }
    return made;
}

static void add_digits(stream *to, uint32_t count) {
    for (; count > 0; count--)
        add_number(to, '0' + dice(10), 1);
}

static void add_text(stream *to, const dvt_column *type) {
    char text[64];
    switch (dice(12) ? type->kind : 0) {
    case DVT_DATE:
    case DVT_TIMESTAMP:
        snprintf(text, sizeof text, "%04u-%02u-%02u", dice(10000), dice(14), dice(33));
        add(to, text, 10);
        if (type->kind == DVT_DATE)
            break;
        add(to, " ", 1);
        /* fall through */
    case DVT_TIME:
        snprintf(text, sizeof text, "%02u:%02u:%02u.", dice(26), dice(61), dice(61));
        add(to, text, dice(2) ? 8 : 9);
        add_digits(to, dice(8));
        break;
    case DVT_FIXED:
        add(to, "123e4567-E89b-12d3-a456-426655440000", dice(9) ? 36 : dice(36));
        break;
    case DVT_TEXT:
    case DVT_BYTES:
        for (uint32_t left = dice(dice(50) ? 10 : 30000); left > 0; left--)
            add(to, "\xf0\x9f\x98\x80", dice(999) ? 4 : 1);
        break;
    default:
        add(to, "-", dice(2));
        add_digits(to, dice(dice(4) ? 6 : 45));
        add(to, ".", dice(2));
        add_digits(to, dice(dice(4) ? 6 : 45));
    }
}

static void add_length(stream *to, size_t length) {
    static const uint8_t marks[] = {0, 0, 0xFC, 0xFD, 0xFE};
    int form = length < 0xFB ? 1 : length < 65536 ? 2 : 3;
    if (form > 1)
        add_number(to, marks[form], 1);
    for (int i = 0; i < (form == 1 ? 1 : form == 2 ? 2 : 3); i++)
        add_number(to, length >> 8 * i & 0xFF, 1);
}

static void add_packet(stream *to, const shape *of, uint8_t number) {
    stream row = {0}, value = {0};
    for (int32_t i = 0; i < of->width; i++) {
        if (dice(6) == 0) {
            add_number(&row, 0xFB, 1);
            continue;
        }
        value.used = 0;
        add_text(&value, of->types + i);
        add_length(&row, value.used);
        add(&row, value.bytes, value.used);
    }
    for (int i = 0; i < 3; i++)
        add_number(to, row.used >> 8 * i & 0xFF, 1);
    add_number(to, number, 1);
    add(to, row.bytes, row.used);
    free(row.bytes);
    free(value.bytes);
}

/* Whether all rows were decoded, and all columns. */
static int decode_buffer(const shape *of, const uint8_t *data, int64_t size) {
    int64_t starts[MOST_ROWS], count, most = dice(MOST_ROWS) + 1;
    int64_t stop = dvt_mysql_walk(data, 0, size, starts, most, &count);
    if (count > most || stop > size || (count > 0 && (starts[0] != 4 || starts[count - 1] > stop)))
        fail("packets");
    dvt_decoder *decoder = dvt_decoder_new(of->types, of->precisions, of->width);
    if (decoder == NULL)
        fail("a decoder");
    uint8_t unfit[COLUMNS] = {0};
    int32_t error = dvt_mysql_decode(decoder, data, starts, count, stop, unfit);
    int is_whole = error == DVT_OK;
    if (error == DVT_OK) {
        struct ArrowArray batch;
        if (dvt_decoder_export(decoder, &batch) != DVT_OK || batch.length != count)
            fail("export");
        check_batch(&batch, of);
        batch.release(&batch);
    } else if (error != DVT_BROKEN) {
        fail("an error that is none of these");
    }
    for (int32_t i = 0; i < of->width; i++)
        is_whole = is_whole && !unfit[i];
    dvt_decoder_free(decoder);
    return is_whole;
}

static int once(void) {
    shape of = random_shape();
    stream made = {0};
    for (uint32_t row = 0, rows = dice(MOST_ROWS); row < rows; row++)
        add_packet(&made, &of, (uint8_t)row);
    if (dice(2))
        mutate(&made);
    uint8_t *data = malloc(made.used + (made.used == 0));
    if (data == NULL)
        abort();
    if (made.used)
        memcpy(data, made.bytes, made.used);
    int is_whole = decode_buffer(&of, data, (int64_t)made.used);
    free(data);
    free(made.bytes);
    return is_whole;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s SECONDS SEED\n", argv[0]);
        return 2;
    }
    double seconds = atof(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10), results = 0, whole = 0;
    time_t begun = time(NULL);
    for (; difftime(time(NULL), begun) < seconds; results++) {
        seed_dice(seed + results); /* a failing one can be run alone */
        whole += (uint64_t)once();
    }
    printf("%llu results, %llu of them whole, seed %llu, checksum %llu\n", (unsigned long long)results,
           (unsigned long long)whole, (unsigned long long)seed, (unsigned long long)touched());
    return 0;
}
