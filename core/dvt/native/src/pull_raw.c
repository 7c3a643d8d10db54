/* Rows from libpq as they are, many in one block: for another PostgreSQL, which decodes them itself.
 *
 * Values that no decoding lane carries are refused on the way, and padding is taken off: rows are walked field by field,
 * each length held against the bytes that are there. */
#include "codec.h"
#include "source.h"

/* What is looked for in a column's values, or done to them; raw.py has the same numbers. */
enum { CHECK_NONE = 0, CHECK_NUMERIC = 1, CHECK_TIMESTAMP = 2, CHECK_INTERVAL = 3, TAKE_PADDING = 4 };
enum { HEADER = 19, NUMERIC_HEAD = 8, NUMERIC_SPECIAL = 0xC000 };

/* One COPY. A message that did not fit the block before it is held; it is of libpq's memory. */
typedef struct {
    char *message;
    int64_t length;
    const uint8_t *checks; /* one for each column; NULL: nothing is looked for */
    int64_t rows;          /* that were walked */
    int32_t width;         /* columns */
    int32_t has_header;
    int32_t refused;       /* the column of a value that is refused; -1: none */
} dvt_raw;

DVT_EXPORT int32_t dvt_pull_raw(const dvt_source *source, dvt_raw *raw, uint8_t *block, int64_t size, int64_t *used);
DVT_EXPORT void dvt_free_raw(const dvt_source *source, dvt_raw *raw);

static int32_t check_numeric(const uint8_t *p, int64_t length) {
    if (length < NUMERIC_HEAD)
        return DVT_BROKEN;
    return (dvt_get16(p + 4) & NUMERIC_SPECIAL) == NUMERIC_SPECIAL ? DVT_NAN : DVT_OK; /* infinities too */
}

static int32_t check_timestamp(const uint8_t *p, int64_t length) {
    if (length != 8)
        return DVT_BROKEN;
    int64_t micros = (int64_t)dvt_get64(p);
    return micros != INT64_MAX && micros >= INT64_MAX - DVT_EPOCH_MICROS ? DVT_RANGE : DVT_OK;
}

static int32_t check_interval(const uint8_t *p, int64_t length) {
    if (length != 16)
        return DVT_BROKEN;
    int64_t micros = (int64_t)dvt_get64(p);
    return micros > INT64_MAX / 1000 || micros < -(INT64_MAX / 1000) ? DVT_RANGE : DVT_OK;
}

static int32_t check_value(uint8_t check, const uint8_t *p, int64_t length) {
    switch (check) {
    case CHECK_NUMERIC:
        return check_numeric(p, length);
    case CHECK_TIMESTAMP:
        return check_timestamp(p, length);
    case CHECK_INTERVAL:
        return check_interval(p, length);
    default:
        return DVT_OK;
    }
}

/* A message while it is walked. What loses its padding makes the rest move up, within the message's own memory. */
typedef struct {
    uint8_t *at, *end;
    uint8_t *from; /* what is kept, and has not moved yet, begins here */
    uint8_t *to;   /* where it goes */
} dvt_walk;

static void move_up(dvt_walk *walk, uint8_t *until) {
    size_t size = (size_t)(until - walk->from);
    if (walk->to != walk->from)
        memmove(walk->to, walk->from, size);
    walk->to += size;
    walk->from = until;
}

/* Without the blanks at its end, as the server's own cast of char(n) to text; `walk->at` is the value. */
static void take_padding(dvt_walk *walk, int64_t length) {
    int64_t kept = length;
    while (kept > 0 && walk->at[kept - 1] == ' ')
        kept--;
    if (kept == length)
        return;
    dvt_put32(walk->at - 4, (uint32_t)kept);
    move_up(walk, walk->at + kept);
    walk->from = walk->at + length;
}

/* One row, or the trailer; `walk->at` goes behind it. */
static int32_t walk_row(dvt_raw *raw, dvt_walk *walk) {
    if (walk->end - walk->at < 2)
        return DVT_BROKEN;
    uint16_t fields = dvt_get16(walk->at);
    walk->at += 2;
    if (fields == UINT16_MAX)
        return DVT_OK;
    if (fields != raw->width)
        return DVT_BROKEN;
    for (int32_t i = 0; i < raw->width; i++) {
        if (walk->end - walk->at < 4)
            return DVT_BROKEN;
        int64_t length = (int32_t)dvt_get32(walk->at);
        walk->at += 4;
        if (length < -1 || length > walk->end - walk->at)
            return DVT_BROKEN;
        if (length < 0)
            continue;
        int32_t error = check_value(raw->checks[i], walk->at, length);
        if (error != DVT_OK) {
            raw->refused = i;
            return error;
        }
        if (raw->checks[i] == TAKE_PADDING)
            take_padding(walk, length);
        walk->at += length;
    }
    raw->rows++;
    return DVT_OK;
}

static int32_t walk_message(dvt_raw *raw) {
    uint8_t *p = (uint8_t *)raw->message;
    dvt_walk walk = {p, p + raw->length, p, p};
    if (!raw->has_header) {
        if (raw->length < HEADER || dvt_get32(p + HEADER - 4) > (uint64_t)(raw->length - HEADER))
            return DVT_BROKEN;
        walk.at += HEADER + dvt_get32(p + HEADER - 4);
        raw->has_header = 1;
    }
    int32_t error = DVT_OK;
    while (error == DVT_OK && walk.at < walk.end)
        error = walk_row(raw, &walk);
    move_up(&walk, walk.end);
    raw->length = walk.to - p;
    return error;
}

/* The next message is held; DVT_OK, or what there is instead. */
static int32_t hold(const dvt_source *source, dvt_raw *raw, int *waits) {
    while (raw->message == NULL) {
        int got = source->get_copy_data(source->connection, &raw->message, 1);
        if (got < 0)
            return got == -1 ? DVT_ENDED : DVT_FAILED;
        if (got == 0) {
            raw->message = NULL;
            int32_t waited = dvt_wait_for(source, waits);
            if (waited != DVT_OK)
                return waited;
            continue;
        }
        raw->length = got;
        int32_t error = raw->checks != NULL ? walk_message(raw) : DVT_OK;
        if (error != DVT_OK)
            return error;
    }
    return DVT_OK;
}

/* Fills a block with whole messages.
 *
 * `*used` bytes of the block, which takes `size`, are filled. Gives DVT_OK when the next message does not fit (it is
 * held), DVT_SPACE when it does not fit an empty block either, DVT_ENDED, DVT_WAITING, DVT_FAILED, or the error of a
 * value or of the stream; what is in the block counts but after an error. */
DVT_EXPORT int32_t dvt_pull_raw(const dvt_source *source, dvt_raw *raw, uint8_t *block, int64_t size, int64_t *used) {
    int waits = 0;
    *used = 0;
    for (;;) {
        int32_t held = hold(source, raw, &waits);
        if (held != DVT_OK)
            return held;
        if (raw->length > size - *used)
            return *used > 0 ? DVT_OK : DVT_SPACE;
        memcpy(block + *used, raw->message, (size_t)raw->length);
        *used += raw->length;
        dvt_free_raw(source, raw);
    }
}

DVT_EXPORT void dvt_free_raw(const dvt_source *source, dvt_raw *raw) {
    if (raw->message != NULL)
        source->free_memory(raw->message);
    raw->message = NULL;
    raw->length = 0;
}
