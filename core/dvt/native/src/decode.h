/* The decoder's own structures: columns that grow row by row, and the COPY stream that they grow from. */
#ifndef DVT_DECODE_H
#define DVT_DECODE_H

#include "arrow_c.h"
#include "codec.h"

#include <stddef.h>

/* Bytes that grow. `hint` is how many the batch before needed: they are asked for at once. */
typedef struct {
    uint8_t *bytes;
    size_t used;
    size_t capacity;
    size_t hint;
} dvt_vector;

/* A column, or a list's elements, of the batch that is being made. */
typedef struct dvt_building {
    dvt_column type;
    int32_t precision;  /* a decimal's digits in all */
    int32_t width;      /* bytes of a value in Arrow; 0: bits, or of any length */
    int32_t sent;       /* bytes of a value in the stream; -1: they differ */
    int64_t length;
    int64_t nulls;
    dvt_vector values;  /* values one after another, bits, or the bytes of all texts */
    dvt_vector offsets; /* int32, one more than values; of texts and lists */
    dvt_vector valid;   /* bits; empty as long as no NULL has come */
    struct dvt_building *elements;
} dvt_building;

typedef struct {
    int32_t width; /* columns */
    dvt_building *columns;
    int64_t rows;
    uint64_t bytes; /* of the stream, in this batch: no column has more, nor has a list more elements */
    int32_t error;  /* after one there are no more batches */

    int32_t has_header;
    int32_t has_trailer;
    uint8_t *message; /* of libpq's memory, until all of its rows are decoded */
    size_t message_length;
    size_t position;
    void (*release)(void *);

    const uint8_t *refused; /* the value of the last error, within the message */
    int64_t refused_length; /* -1: none */
    int32_t refused_element;
} dvt_decoder;

/* vector.c: 0 where there is no memory. */
int dvt_reserve(dvt_vector *vector, size_t extra);
int dvt_push_bit(dvt_vector *bits, int64_t at, int bit);
int dvt_push_offset(dvt_vector *offsets, size_t offset);

/* decode_numeric.c and decode_text.c */
int32_t dvt_numeric(const uint8_t *p, int64_t length, const dvt_building *column, uint8_t *out);
int dvt_is_utf8(const uint8_t *p, size_t length);

/* decode.c: one message's next row; DVT_OK also at the trailer. */
int32_t dvt_decode_header(dvt_decoder *decoder);
int32_t dvt_decode_row(dvt_decoder *decoder, dvt_problem *problem);

#endif
