/* Arrow batches of any shape, each buffer of exactly the bytes that its values need. */
#ifndef DVT_BATCHES_H
#define DVT_BATCHES_H

#include "fuzz.h"

typedef struct {
    struct ArrowArray array;
    struct ArrowArray *children[COLUMNS];
    const void *buffers[1];
    shape of;
    int has_negative_scale; /* numbers that only the encoder knows */
} made_batch;

/* With `is_wild` there are values, too, that PostgreSQL has no place for. */
made_batch *new_batch(int is_wild);
void free_batch(made_batch *batch);

int is_null(const struct ArrowArray *array, int64_t at);
const uint8_t *value_at(const struct ArrowArray *array, const dvt_column *type, int64_t at, size_t *size);
/* Whether PostgreSQL has no place for a value that is none of NULL; for a list, for one of its elements. */
int is_unfit(const struct ArrowArray *array, const dvt_column *type, int64_t at);
/* Whether two arrays have the same value; their offsets are not counted in the places. */
int is_same(const dvt_column *type, const struct ArrowArray *a, int64_t at, const struct ArrowArray *b, int64_t other);

#endif
