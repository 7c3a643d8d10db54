/* Rows from libpq, whose functions Python found in the library that its driver uses, until a batch is full. */
#include "decode.h"
#include "source.h"

DVT_EXPORT int32_t dvt_decoder_pull(dvt_decoder *decoder, const dvt_source *source, int64_t rows, int64_t bytes,
                                    dvt_problem *problem);

static void free_message(dvt_decoder *decoder) {
    if (decoder->message != NULL)
        decoder->release(decoder->message);
    decoder->message = NULL;
    decoder->message_length = decoder->position = 0;
}

static int is_full(const dvt_decoder *decoder, int64_t rows, int64_t bytes) {
    if (decoder->rows == 0)
        return 0;
    /* Offsets are of 32 bits: what the rest of the message could hold must still have room. */
    return decoder->rows >= rows || decoder->bytes >= (uint64_t)bytes ||
           decoder->bytes + (decoder->message_length - decoder->position) > INT32_MAX;
}

/* The rest of a message; DVT_ENDED when all of it is decoded, DVT_OK when the batch is full before. */
static int32_t decode_message(dvt_decoder *decoder, int64_t rows, int64_t bytes, dvt_problem *problem) {
    int32_t error;
    if (!decoder->has_header && (error = dvt_decode_header(decoder)) != DVT_OK) {
        *problem = (dvt_problem){error, -1, 0, 0};
        return decoder->error = error;
    }
    while (decoder->position < decoder->message_length) {
        if (is_full(decoder, rows, bytes))
            return DVT_OK;
        error = dvt_decode_row(decoder, problem);
        if (error != DVT_OK)
            return error;
    }
    free_message(decoder);
    return DVT_ENDED;
}

DVT_EXPORT int32_t dvt_decoder_pull(dvt_decoder *decoder, const dvt_source *source, int64_t rows, int64_t bytes,
                                    dvt_problem *problem) {
    if (decoder->error != DVT_OK)
        return decoder->error;
    int waits = 0;
    for (;;) {
        if (decoder->message != NULL) {
            int32_t done = decode_message(decoder, rows, bytes, problem);
            if (done != DVT_ENDED)
                return done;
        }
        if (is_full(decoder, rows, bytes))
            return DVT_OK;
        char *buffer = NULL;
        int got = source->get_copy_data(source->connection, &buffer, 1);
        if (got > 0) {
            decoder->message = (uint8_t *)buffer;
            decoder->message_length = (size_t)got;
            decoder->position = 0;
            decoder->release = source->free_memory;
        } else if (got == 0) {
            int32_t waited = dvt_wait_for(source, &waits);
            if (waited != DVT_OK)
                return waited;
        } else if (got == -1) {
            return decoder->has_trailer ? DVT_ENDED : DVT_STOPPED;
        } else {
            return DVT_FAILED;
        }
    }
}
