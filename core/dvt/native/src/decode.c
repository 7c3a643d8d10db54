/* Rows of binary COPY (PostgreSQL manual, "COPY", "Binary Format") into columns. Each length is held against the bytes
   that are there before it is used. */
#include "building.h"

enum { HEADER = 11, DIMENSIONS_AT_MOST = 6 };
static const char SIGNATURE[HEADER] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', '\xff', '\r', '\n', '\0'};

/* Infinity is the largest number of the storage, as dvt/types/vocabulary.py has it, minus infinity its negative. */
static int32_t put_date(dvt_building *column, int32_t days) {
    if (days == INT32_MAX || days == INT32_MIN)
        return put_int32(column, days == INT32_MAX ? INT32_MAX : -INT32_MAX);
    if (days >= INT32_MAX - DVT_EPOCH_DAYS || days <= -INT32_MAX)
        return DVT_RANGE;
    days += DVT_EPOCH_DAYS;
    return put_int32(column, days);
}

static int32_t put_timestamp(dvt_building *column, int64_t micros) {
    if (micros == INT64_MAX || micros == INT64_MIN)
        return put_int64(column, micros == INT64_MAX ? INT64_MAX : -INT64_MAX);
    if (micros >= INT64_MAX - DVT_EPOCH_MICROS || micros <= -INT64_MAX)
        return DVT_RANGE;
    micros += DVT_EPOCH_MICROS;
    return put_int64(column, micros);
}

static int32_t put_interval(dvt_building *column, const uint8_t *p) {
    int64_t micros = (int64_t)dvt_get64(p);
    int32_t days = (int32_t)dvt_get32(p + 8), months = (int32_t)dvt_get32(p + 12);
    if (micros > INT64_MAX / 1000 || micros < -(INT64_MAX / 1000))
        return DVT_RANGE;
    int64_t nanos = micros * 1000;
    uint8_t value[16];
    memcpy(value, &months, 4);
    memcpy(value + 4, &days, 4);
    memcpy(value + 8, &nanos, 8);
    return put(column, value, sizeof value);
}

static int32_t put_numeric(dvt_building *column, const uint8_t *p, int64_t length) {
    uint8_t value[32];
    int32_t error = dvt_numeric(p, length, column, value);
    return error == DVT_OK ? put(column, value, (size_t)column->width) : error;
}

static int32_t put_time(dvt_building *column, int64_t micros) {
    return micros < 0 || micros > INT64_C(86400000000) ? DVT_RANGE : put_int64(column, micros);
}

static int32_t put_int16(dvt_building *column, const uint8_t *p) {
    int16_t value = (int16_t)dvt_get16(p);
    return put(column, &value, sizeof value);
}

static int32_t put_scalar(dvt_building *column, const uint8_t *p, int64_t length) {
    if (column->sent >= 0 && length != column->sent)
        return DVT_BROKEN;
    switch (column->type.kind) {
    case DVT_BOOL:
        if (p[0] > 1)
            return DVT_BROKEN;
        return dvt_push_bit(&column->values, column->length, p[0]) ? DVT_OK : DVT_MEMORY;
    case DVT_INT16:
        return put_int16(column, p);
    case DVT_INT32:
    case DVT_FLOAT32:
        return put_int32(column, (int32_t)dvt_get32(p));
    case DVT_INT64:
    case DVT_FLOAT64:
        return put_int64(column, (int64_t)dvt_get64(p));
    case DVT_DECIMAL128:
    case DVT_DECIMAL256:
        return put_numeric(column, p, length);
    case DVT_DATE:
        return put_date(column, (int32_t)dvt_get32(p));
    case DVT_TIME:
        return put_time(column, (int64_t)dvt_get64(p));
    case DVT_TIMESTAMP:
        return put_timestamp(column, (int64_t)dvt_get64(p));
    case DVT_INTERVAL:
        return put_interval(column, p);
    case DVT_FIXED:
        return put(column, p, (size_t)length);
    case DVT_BYTES:
        return put_bytes(column, p, (size_t)length);
    case DVT_PADDED:
        while (length > 0 && p[length - 1] == ' ')
            length--;
        return put_text(column, p, (size_t)length);
    case DVT_TEXT:
        return put_text(column, p, (size_t)length);
    case DVT_JSONB:
        return length < 1 || p[0] != 1 ? DVT_BROKEN : put_text(column, p + 1, (size_t)length - 1);
    default:
        return DVT_BROKEN;
    }
}

/* A length and so many bytes; `*length` is -1 for a NULL. Where it is broken there is no place. */
static const uint8_t *field(const uint8_t **p, const uint8_t *end, int64_t *length) {
    if (end - *p < 4)
        return NULL;
    *length = (int32_t)dvt_get32(*p);
    const uint8_t *value = *p + 4;
    if (*length < -1 || *length > end - value)
        return NULL;
    *p = *length < 0 ? value : value + *length;
    return value;
}

static int32_t refuse(dvt_decoder *decoder, int32_t error, const uint8_t *value, int64_t length, int is_element) {
    if (error == DVT_OK || decoder->refused_length >= 0)
        return error;
    decoder->refused = value;
    decoder->refused_length = length;
    decoder->refused_element = is_element;
    return error;
}

static int32_t put_elements(dvt_decoder *decoder, dvt_building *list, const uint8_t *p, const uint8_t *end,
                            int64_t count) {
    dvt_building *elements = list->elements;
    for (int64_t i = 0; i < count; i++) {
        int64_t length;
        const uint8_t *value = field(&p, end, &length);
        if (value == NULL)
            return DVT_BROKEN;
        int32_t error = length < 0 ? put_null(elements) : put_scalar(elements, value, length);
        if (error == DVT_OK && length >= 0)
            error = counted(elements);
        if (error != DVT_OK)
            return refuse(decoder, error, value, length < 0 ? 0 : length, 1);
    }
    return p == end ? DVT_OK : DVT_BROKEN;
}

/* array_send: dimensions, whether there are NULLs, the elements' type, length and lower bound of each dimension. */
static int32_t put_list(dvt_decoder *decoder, dvt_building *list, const uint8_t *p, int64_t length) {
    if (length < 12)
        return DVT_BROKEN;
    uint32_t dimensions = dvt_get32(p);
    if (dimensions > DIMENSIONS_AT_MOST || dvt_get32(p + 4) > 1 || dvt_get32(p + 8) != list->type.element_oid)
        return DVT_BROKEN;
    if (length < 12 + 8 * (int64_t)dimensions || (dimensions == 0 && length != 12))
        return DVT_BROKEN;
    if (dimensions > 1 || (dimensions == 1 && dvt_get32(p + 16) != 1))
        return DVT_ARRAY;
    int32_t error = DVT_OK;
    if (dimensions == 1) {
        int64_t count = (int32_t)dvt_get32(p + 12);
        if (count < 0 || count > (length - 20) / 4)
            return DVT_BROKEN;
        error = put_elements(decoder, list, p + 20, p + length, count);
    }
    if (error == DVT_OK && !dvt_push_offset(&list->offsets, (size_t)list->elements->length))
        error = DVT_MEMORY;
    return error;
}

static int32_t put_value(dvt_decoder *decoder, dvt_building *column, const uint8_t *value, int64_t length) {
    if (length < 0)
        return put_null(column);
    int32_t error =
        column->type.is_list ? put_list(decoder, column, value, length) : put_scalar(column, value, length);
    return error == DVT_OK ? counted(column) : refuse(decoder, error, value, length, 0);
}

static int32_t failed(dvt_decoder *decoder, dvt_problem *problem, int32_t code, int32_t column) {
    decoder->error = code;
    problem->code = code;
    problem->column = column;
    problem->row = decoder->rows;
    return code;
}

/* The signature, flags of which none is known that could be ignored, and an extension of a length that it gives. */
int32_t dvt_decode_header(dvt_decoder *decoder) {
    const uint8_t *p = decoder->message;
    size_t length = decoder->message_length;
    if (length < HEADER + 8 || memcmp(p, SIGNATURE, HEADER) != 0 || dvt_get32(p + HEADER) != 0)
        return DVT_BROKEN;
    uint32_t extension = dvt_get32(p + HEADER + 4);
    if (extension > length - HEADER - 8)
        return DVT_BROKEN;
    decoder->position = HEADER + 8 + extension;
    decoder->has_header = 1;
    return DVT_OK;
}

int32_t dvt_decode_row(dvt_decoder *decoder, dvt_problem *problem) {
    const uint8_t *begin = decoder->message + decoder->position, *p = begin;
    const uint8_t *end = decoder->message + decoder->message_length;
    if (decoder->has_trailer || end - p < 2)
        return failed(decoder, problem, DVT_BROKEN, -1);
    uint16_t fields = dvt_get16(p);
    p += 2;
    if (fields == UINT16_MAX) {
        decoder->has_trailer = 1;
        decoder->position += 2;
        return DVT_OK;
    }
    if (fields != decoder->width)
        return failed(decoder, problem, DVT_BROKEN, -1);
    for (int32_t i = 0; i < decoder->width; i++) {
        int64_t length;
        const uint8_t *value = field(&p, end, &length);
        if (value == NULL)
            return failed(decoder, problem, DVT_BROKEN, i);
        int32_t error = put_value(decoder, decoder->columns + i, value, length);
        if (error != DVT_OK)
            return failed(decoder, problem, error, i);
    }
    decoder->rows++;
    decoder->bytes += (uint64_t)(p - begin);
    decoder->position += (size_t)(p - begin);
    return DVT_OK;
}
