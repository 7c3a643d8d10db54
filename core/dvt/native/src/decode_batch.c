/* A decoder's life: made for its columns, its rows handed over as one struct array, freed. */
#include "decode.h"

#include <stdlib.h>

DVT_EXPORT dvt_decoder *dvt_decoder_new(const dvt_column *types, const int32_t *precisions, int32_t width);
DVT_EXPORT void dvt_decoder_free(dvt_decoder *decoder);
DVT_EXPORT int32_t dvt_decoder_export(dvt_decoder *decoder, struct ArrowArray *out);
DVT_EXPORT int64_t dvt_decoder_rows(const dvt_decoder *decoder);
DVT_EXPORT const uint8_t *dvt_decoder_refused(const dvt_decoder *decoder, int64_t *length, int32_t *is_element);

/* Bytes of a value in the stream, -1 where they differ, and in Arrow, 0 for bits and texts. */
typedef struct {
    int32_t sent, width;
} sizes;

static const sizes SIZES[] = {
    [DVT_BOOL] = {1, 0},         [DVT_INT16] = {2, 2},       [DVT_INT32] = {4, 4},       [DVT_INT64] = {8, 8},
    [DVT_FLOAT32] = {4, 4},      [DVT_FLOAT64] = {8, 8},     [DVT_DECIMAL128] = {-1, 16}, [DVT_DECIMAL256] = {-1, 32},
    [DVT_BYTES] = {-1, 0},       [DVT_JSONB] = {-1, 0},      [DVT_FIXED] = {0, 0},       [DVT_DATE] = {4, 4},
    [DVT_TIME] = {8, 8},         [DVT_TIMESTAMP] = {8, 8},   [DVT_INTERVAL] = {16, 16},  [DVT_TEXT] = {-1, 0},
    [DVT_PADDED] = {-1, 0},      [DVT_INT8] = {-1, 1},
};

/* Whether a column's kind, its scale and its precision are known. */
static int is_known(const dvt_column *type, int32_t precision) {
    int is_decimal = type->kind == DVT_DECIMAL128 || type->kind == DVT_DECIMAL256;
    if (is_decimal)
        return precision >= 1 && precision <= (type->kind == DVT_DECIMAL128 ? 38 : 76) && type->scale >= 0 &&
               type->scale <= precision;
    if (type->kind == DVT_FIXED)
        return type->scale >= 1;
    return type->kind >= DVT_BOOL && type->kind <= DVT_INT8;
}

static sizes sizes_of(const dvt_column *type) {
    return type->kind == DVT_FIXED ? (sizes){type->scale, type->scale} : SIZES[type->kind];
}

static int has_offsets(const dvt_building *column) {
    return column->type.is_list || (column->width == 0 && column->type.kind != DVT_BOOL);
}

/* The first offset is there from the beginning, and so is a byte of values: Arrow wants buffers also where nothing is. */
static int begin(dvt_building *column) {
    if (has_offsets(column) && !dvt_push_offset(&column->offsets, 0))
        return 0;
    if (column->elements != NULL)
        return begin(column->elements);
    return dvt_reserve(&column->values, 1);
}

static int prepare(dvt_building *column, const dvt_column *type, int32_t precision) {
    column->type = *type;
    column->precision = precision;
    if (!is_known(type, precision))
        return 0;
    sizes found = sizes_of(type);
    column->sent = found.sent;
    column->width = found.width;
    if (!type->is_list)
        return 1;
    dvt_column of_elements = *type;
    of_elements.is_list = 0;
    column->elements = calloc(1, sizeof *column->elements);
    return column->elements != NULL && prepare(column->elements, &of_elements, precision);
}

static void clear(dvt_building *column) {
    free(column->values.bytes);
    free(column->offsets.bytes);
    free(column->valid.bytes);
    if (column->elements != NULL)
        clear(column->elements);
    free(column->elements);
}

DVT_EXPORT dvt_decoder *dvt_decoder_new(const dvt_column *types, const int32_t *precisions, int32_t width) {
    if (width < 1 || width >= UINT16_MAX)
        return NULL;
    dvt_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL)
        return NULL;
    decoder->refused_length = -1;
    decoder->columns = calloc((size_t)width, sizeof *decoder->columns);
    decoder->width = decoder->columns == NULL ? 0 : width;
    int is_ready = decoder->columns != NULL;
    for (int32_t i = 0; is_ready && i < width; i++)
        is_ready = prepare(decoder->columns + i, types + i, precisions[i]) && begin(decoder->columns + i);
    if (is_ready)
        return decoder;
    dvt_decoder_free(decoder);
    return NULL;
}

DVT_EXPORT void dvt_decoder_free(dvt_decoder *decoder) {
    if (decoder == NULL)
        return;
    for (int32_t i = 0; i < decoder->width; i++)
        clear(decoder->columns + i);
    free(decoder->columns);
    if (decoder->message != NULL)
        decoder->release(decoder->message);
    free(decoder);
}

DVT_EXPORT int64_t dvt_decoder_rows(const dvt_decoder *decoder) { return decoder->rows; }

DVT_EXPORT const uint8_t *dvt_decoder_refused(const dvt_decoder *decoder, int64_t *length, int32_t *is_element) {
    *length = decoder->refused_length;
    *is_element = decoder->refused_element;
    return decoder->refused;
}

/* What an exported array owns: its buffers, and the structures of its children. */
typedef struct {
    const void *buffers[3];
    struct ArrowArray **children;
} owned;

static void release(struct ArrowArray *array) {
    owned *mine = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++) {
        struct ArrowArray *child = array->children[i];
        if (child != NULL && child->release != NULL)
            child->release(child);
        free(child);
    }
    for (int i = 0; i < 3; i++)
        free((void *)mine->buffers[i]);
    free(mine->children);
    free(mine);
    array->release = NULL;
}

/* An empty array with room for its children, whose places are NULL as long as they are not there. */
static int open_array(struct ArrowArray *out, int64_t length, int64_t buffers, int64_t children) {
    memset(out, 0, sizeof *out);
    owned *mine = calloc(1, sizeof *mine);
    if (mine == NULL)
        return 0;
    if (children > 0) {
        mine->children = calloc((size_t)children, sizeof *mine->children);
        if (mine->children == NULL) {
            free(mine);
            return 0;
        }
    }
    out->length = length;
    out->n_buffers = buffers;
    out->buffers = mine->buffers;
    out->n_children = children;
    out->children = mine->children;
    out->private_data = mine;
    out->release = release;
    return 1;
}

static struct ArrowArray *new_child(struct ArrowArray *parent, int64_t place) {
    parent->children[place] = calloc(1, sizeof *parent->children[place]);
    return parent->children[place];
}

/* A vector's bytes are the array's from here on; what the batch did not need is given back. */
static const void *taken(dvt_vector *vector) {
    uint8_t *bytes = vector->bytes;
    if (bytes != NULL && vector->capacity - vector->used > vector->used / 4 + 4096) {
        uint8_t *smaller = realloc(bytes, vector->used > 0 ? vector->used : 1);
        bytes = smaller != NULL ? smaller : bytes;
    }
    size_t needed = vector->used + vector->used / 16;
    *vector = (dvt_vector){.hint = needed};
    return bytes;
}

static int hand_over(dvt_building *column, struct ArrowArray *out) {
    if (out == NULL || !open_array(out, column->length, has_offsets(column) && !column->type.is_list ? 3 : 2,
                                   column->type.is_list ? 1 : 0))
        return 0;
    out->null_count = column->nulls;
    out->buffers[0] = taken(&column->valid);
    if (has_offsets(column))
        out->buffers[1] = taken(&column->offsets);
    if (!column->type.is_list)
        out->buffers[out->n_buffers - 1] = taken(&column->values);
    column->length = column->nulls = 0;
    return !column->type.is_list || hand_over(column->elements, new_child(out, 0));
}

/* The rows so far as one struct array, and the beginning of the next batch. */
DVT_EXPORT int32_t dvt_decoder_export(dvt_decoder *decoder, struct ArrowArray *out) {
    memset(out, 0, sizeof *out);
    if (decoder->error != DVT_OK)
        return decoder->error;
    int is_whole = open_array(out, decoder->rows, 1, decoder->width);
    for (int32_t i = 0; is_whole && i < decoder->width; i++)
        is_whole = hand_over(decoder->columns + i, new_child(out, i)) && begin(decoder->columns + i);
    if (!is_whole) {
        decoder->error = DVT_MEMORY;
        if (out->release != NULL)
            out->release(out);
        return DVT_MEMORY;
    }
    decoder->rows = 0;
    decoder->bytes = 0;
    return DVT_OK;
}
