/* What the decoder and the encoder share: column kinds, error codes, big-endian bytes, days between the epochs. */
#ifndef DVT_CODEC_H
#define DVT_CODEC_H

#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define DVT_EXPORT __declspec(dllexport)
#else
#define DVT_EXPORT __attribute__((visibility("default")))
#endif

/* Python checks it before the first call: a library of another build has other structures. */
#define DVT_ABI 3

/* How a column's values lie in Arrow and in the binary COPY. core/dvt/native/library.py has the same numbers. */
enum dvt_kind {
    DVT_BOOL = 1,     /* Arrow bits                <-> 1 byte */
    DVT_INT16 = 2,    /* int16                     <-> int2 */
    DVT_INT32 = 3,    /* int32, uint32             <-> int4, oid */
    DVT_INT64 = 4,    /* int64                     <-> int8 */
    DVT_FLOAT32 = 5,  /* float                     <-> float4 */
    DVT_FLOAT64 = 6,  /* double                    <-> float8 */
    DVT_DECIMAL128 = 7, /* decimal128, `scale`     <-> numeric */
    DVT_DECIMAL256 = 8, /* decimal256, `scale`     <-> numeric */
    DVT_BYTES = 9,    /* string, binary (int32)    <-> bytea */
    DVT_JSONB = 10,   /* string (int32)            <-> jsonb: a version byte before the text */
    DVT_FIXED = 11,   /* fixed_size_binary(`width`) <-> uuid and others of fixed size */
    DVT_DATE = 12,    /* date32                    <-> date */
    DVT_TIME = 13,    /* time64[us]                <-> time */
    DVT_TIMESTAMP = 14, /* timestamp[us]           <-> timestamp, timestamptz */
    DVT_INTERVAL = 15, /* month_day_nano           <-> interval */
    DVT_TEXT = 16,    /* string <-> text family, json, enum: the decoder checks UTF-8, the encoder NUL */
    DVT_PADDED = 17,  /* string                    <-> char(n): the decoder drops the spaces at the end */
    DVT_INT8 = 18     /* int8, uint8: MySQL's alone */
};

enum dvt_error {
    DVT_OK = 0,
    DVT_MEMORY = -1,       /* malloc gave nothing */
    DVT_BROKEN = -2,       /* the bytes are no binary COPY of these columns */
    DVT_UNFIT = -3,        /* a value that the other side has no place for */
    DVT_SPACE = -4,        /* one row needs more than the buffer given; `needed` says how much */
    DVT_NUL = -5,          /* a text with a NUL character */
    DVT_NAN = -6,          /* NaN in a decimal */
    DVT_DIGITS = -7,       /* a decimal with more digits than the type carries */
    DVT_ARRAY = -8,        /* an array of several dimensions or with another lower bound than 1 */
    DVT_RANGE = -9,        /* a moment outside of what the other side carries */
    DVT_UTF8 = -10         /* a text that is not UTF-8 */
};

/* One column; for a list the kind is that of its elements. library.py has the same fields. */
typedef struct {
    int32_t kind;
    int32_t scale;        /* decimals: digits after the point; DVT_FIXED: bytes */
    int32_t is_list;      /* Arrow list (int32 offsets) <-> array of one dimension */
    uint32_t element_oid; /* written into arrays, and expected there */
} dvt_column;

typedef struct {
    int32_t code;    /* enum dvt_error */
    int32_t column;  /* -1: the row as a whole */
    int64_t row;     /* within the batch, from 0 */
    int64_t needed;  /* DVT_SPACE: bytes that the row takes */
} dvt_problem;

/* PostgreSQL counts from 2000-01-01, Arrow from 1970-01-01. */
#define DVT_EPOCH_DAYS 10957
#define DVT_EPOCH_MICROS INT64_C(946684800000000)

static inline uint16_t dvt_get16(const uint8_t *p) { return (uint16_t)((uint16_t)p[0] << 8 | p[1]); }
static inline uint32_t dvt_get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}
static inline uint64_t dvt_get64(const uint8_t *p) { return (uint64_t)dvt_get32(p) << 32 | dvt_get32(p + 4); }

static inline uint8_t *dvt_put16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    return p + 2;
}
static inline uint8_t *dvt_put32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}
static inline uint8_t *dvt_put64(uint8_t *p, uint64_t v) {
    return dvt_put32(dvt_put32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

#endif
