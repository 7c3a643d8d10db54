/* What the fuzz drivers share: dice, bytes that grow, a libpq that gives them as messages, and checks of batches. */
#ifndef DVT_FUZZ_H
#define DVT_FUZZ_H

#include "decode.h"
#include "source.h"

#include <stddef.h>

dvt_decoder *dvt_decoder_new(const dvt_column *, const int32_t *, int32_t);
void dvt_decoder_free(dvt_decoder *);
int32_t dvt_decoder_export(dvt_decoder *, struct ArrowArray *);
int64_t dvt_decoder_rows(const dvt_decoder *);
const uint8_t *dvt_decoder_refused(const dvt_decoder *, int64_t *, int32_t *);
int32_t dvt_decoder_pull(dvt_decoder *, const dvt_source *, int64_t, int64_t, dvt_problem *);

enum { KINDS = 17, COLUMNS = 8, HEAD = 24, MYSQL_ROWS = 40, SIGNATURE_BYTES = 19, ELEMENT_OID = 4242 };

typedef struct {
    uint8_t *bytes;
    size_t used, capacity;
} stream;

/* What a decoder is made for, and how much it is asked for at once. */
typedef struct {
    dvt_column types[COLUMNS];
    int32_t precisions[COLUMNS];
    int32_t width;
    int64_t rows, bytes;
} shape;

/* fuzz.c */
void seed_dice(uint64_t seed);
uint32_t dice(uint32_t sides);
uint64_t any64(void);
_Noreturn void fail(const char *what);
void add(stream *to, const void *bytes, size_t count);
void add_number(stream *to, uint64_t number, int bytes);

/* A libpq that gives bytes as messages that end where `ends` says (by dice where it is NULL), then the end: -1 or -2.
   Each message is memory of exactly its size, so that a step past it is seen. */
dvt_source fed(const uint8_t *bytes, size_t count, const size_t *ends, int end);

/* check.c: each byte of a batch is read, and each rule of Arrow's that no type gives is held. */
void check_batch(const struct ArrowArray *batch, const shape *of);
void touch(const uint8_t *bytes, int64_t count);
uint64_t touched(void);

/* streams.c */
shape shape_of(const uint8_t head[HEAD]);
void add_signature(stream *to);
void add_value(stream *to, const dvt_column *type);
void add_rows(stream *to, const shape *of, uint32_t rows);
void mutate(stream *it);

/* decoding.c: what a pull came to in the end; a batch is given to `taken` where it is not NULL. */
typedef void (*taker)(const struct ArrowArray *batch, void *with);
int32_t decode_all(const shape *of, const dvt_source *source, taker taken, void *with);
/* The same of one input: a head, which gives the shape, the seed of the dice and the end, and a stream behind it. */
int32_t decode_input(const uint8_t *input, size_t count);

/* mutating.c: the same, with the stream behind the head mutated; and inputs written for libFuzzer. */
void mutate_input(stream *input);
int write_inputs(void (*make)(stream *), uint64_t seed, const char *folder);

/* mysql_input.c: whether all rows and columns of an input were decoded. */
shape mysql_shape_of(const uint8_t head[HEAD]);
int decode_mysql(const uint8_t *input, size_t count);

#endif
