#include "fuzz.h"

#include <stdlib.h>

static void export_batch(dvt_decoder *decoder, const shape *of, taker taken, void *with) {
    struct ArrowArray batch;
    int64_t rows = dvt_decoder_rows(decoder);
    if (dvt_decoder_export(decoder, &batch) != DVT_OK)
        fail("export");
    if (batch.length != rows)
        fail("rows of a batch");
    check_batch(&batch, of);
    if (taken != NULL)
        taken(&batch, with);
    if (dice(2)) { /* a consumer may take a child out */
        struct ArrowArray child = *batch.children[0];
        batch.children[0]->release = NULL;
        batch.release(&batch);
        child.release(&child);
    } else {
        batch.release(&batch);
    }
}

int32_t decode_all(const shape *of, const dvt_source *source, taker taken, void *with) {
    dvt_decoder *decoder = dvt_decoder_new(of->types, of->precisions, of->width);
    if (decoder == NULL)
        fail("a decoder");
    dvt_problem problem = {0, 0, 0, 0};
    int32_t outcome;
    do {
        outcome = dvt_decoder_pull(decoder, source, of->rows, of->bytes, &problem);
        if (outcome >= 0 && dvt_decoder_rows(decoder) > 0 && outcome != DVT_WAITING)
            export_batch(decoder, of, taken, with);
    } while (outcome == DVT_OK || outcome == DVT_WAITING);
    if (outcome < 0) {
        int64_t length;
        int32_t is_element;
        const uint8_t *value = dvt_decoder_refused(decoder, &length, &is_element);
        if (value != NULL)
            touch(value, length);
        if (problem.code != outcome || problem.column >= of->width)
            fail("problem");
    }
    dvt_decoder_free(decoder);
    return outcome;
}

int32_t decode_input(const uint8_t *input, size_t count) {
    if (count < HEAD)
        return DVT_FAILED;
    shape of = shape_of(input);
    seed_dice(dvt_get32(input + 20));
    dvt_source source = fed(input + HEAD, count - HEAD, NULL, input[19] % 10 ? -1 : -2);
    return decode_all(&of, &source, NULL, NULL);
}
