/* One input for the decoder of MySQL's rows: a head, which gives the columns and the seed of the dice, and a buffer of
   packets behind it. */
#include "fuzz.h"

#include <stdlib.h>

int64_t dvt_mysql_walk(const uint8_t *, int64_t, int64_t, int64_t *, int64_t, int64_t *);
int32_t dvt_mysql_decode(dvt_decoder *, const uint8_t *, const int64_t *, int64_t, int64_t, uint8_t *);

shape mysql_shape_of(const uint8_t head[HEAD]) {
    static const int32_t kinds[] = {DVT_INT8, DVT_INT16, DVT_INT32, DVT_INT64, DVT_DECIMAL128, DVT_DATE,
                                    DVT_TIME, DVT_TIMESTAMP, DVT_FIXED, DVT_TEXT, DVT_BYTES};
    shape made = {.width = head[0] % COLUMNS + 1};
    for (int32_t i = 0; i < made.width; i++) {
        uint8_t digits = head[2 + 2 * i];
        dvt_column *type = made.types + i;
        type->kind = kinds[head[1 + 2 * i] % (sizeof kinds / sizeof *kinds)];
        type->scale = type->kind == DVT_FIXED ? 16 : digits & 1;
        if (type->kind == DVT_DECIMAL128) {
            made.precisions[i] = digits % 38 + 1;
            type->scale = digits * 7 % (made.precisions[i] + 1);
        }
    }
    return made;
}

/* Whether all rows were decoded, and all columns. */
static int decode_buffer(const shape *of, const uint8_t *data, int64_t size) {
    int64_t starts[MYSQL_ROWS], count, most = dice(MYSQL_ROWS) + 1;
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

int decode_mysql(const uint8_t *input, size_t count) {
    if (count < HEAD)
        return 0;
    shape of = mysql_shape_of(input);
    seed_dice(dvt_get32(input + 20));
    size_t size = count - HEAD;
    uint8_t *data = malloc(size + (size == 0)); /* of its own: a step in front of it is seen too */
    if (data == NULL)
        abort();
    memcpy(data, input + HEAD, size);
    int is_whole = decode_buffer(&of, data, (int64_t)size);
    free(data);
    return is_whole;
}
