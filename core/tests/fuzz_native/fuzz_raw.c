/* Undecoded rows, right and wrong ones, into blocks of any size, for so many seconds: `fuzz_raw SECONDS SEED`. What was
   not changed has to come out as it went in, without the padding that is taken off, or be refused by its column. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NUMERIC = 1, TIMESTAMP = 2, INTERVAL = 3, PADDED = 4, CHECKS = 5, ROWS = 12, MOST = 1 << 16 };

/* As pull_raw.c has it, and raw.py too. */
typedef struct {
    char *message;
    int64_t length;
    const uint8_t *checks;
    int64_t rows;
    int32_t width, has_header, refused;
} dvt_raw;

int32_t dvt_pull_raw(const dvt_source *, dvt_raw *, uint8_t *, int64_t, int64_t *);
void dvt_free_raw(const dvt_source *, dvt_raw *);

typedef struct {
    stream bytes, wanted;
    uint8_t checks[COLUMNS];
    int32_t width;
    size_t ends[ROWS + 2];
    int64_t rows;
    int32_t refused; /* the column of the first value that has no place; -1 */
} input;

static uint64_t micros(int is_interval, int *is_refused) {
    if (dice(40) == 0) {
        *is_refused = 1;
        return is_interval ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX - 1;
    }
    return dice(3) ? (uint64_t)dice(1000000) : is_interval ? 0 : (uint64_t)INT64_MAX; /* infinity has a place */
}

static int add_checked(stream *value, uint8_t check) {
    int is_refused = 0;
    if (check == NUMERIC) {
        add_number(value, 0, 4);
        is_refused = dice(40) == 0;
        add_number(value, is_refused ? 0xC000 : 0x4000 * dice(2), 2);
        add_number(value, 0, 2);
    } else if (check == TIMESTAMP || check == INTERVAL) {
        add_number(value, micros(check == INTERVAL, &is_refused), 8);
        if (check == INTERVAL)
            add_number(value, any64(), 8);
    } else {
        for (uint32_t left = dice(dice(20) ? 9 : 500); left > 0; left--)
            add(value, dice(2) ? " " : "x", 1);
        if (dice(30) == 0) /* its length, in front of it, ends with a blank's number too */
            value->used = 0;
        for (uint32_t left = value->used ? dice(4) : 32 * dice(2); left > 0; left--)
            add(value, " ", 1);
    }
    return is_refused;
}

static void add_field(input *made, int32_t column) {
    static stream value;
    if (dice(6) == 0) {
        add_number(&made->bytes, UINT32_MAX, 4);
        add_number(&made->wanted, UINT32_MAX, 4);
        return;
    }
    value.used = 0;
    if (add_checked(&value, made->checks[column]) && made->refused < 0)
        made->refused = column;
    size_t kept = value.used;
    while (made->checks[column] == PADDED && kept > 0 && value.bytes[kept - 1] == ' ')
        kept--;
    add_number(&made->bytes, value.used, 4);
    add(&made->bytes, value.bytes, value.used);
    add_number(&made->wanted, kept, 4);
    add(&made->wanted, value.bytes, kept);
}

static void make(input *made) {
    made->bytes.used = made->wanted.used = 0;
    made->width = 1 + (int32_t)dice(COLUMNS);
    made->refused = -1;
    for (int32_t i = 0; i < made->width; i++)
        made->checks[i] = (uint8_t)dice(CHECKS);
    add_signature(&made->bytes);
    add_signature(&made->wanted);
    size_t count = 0;
    if (dice(2)) /* the server sends the signature with the first row, or alone */
        made->ends[count++] = made->bytes.used;
    made->rows = dice(ROWS);
    for (int64_t row = 0; row < made->rows; row++) {
        add_number(&made->bytes, (uint64_t)made->width, 2);
        add_number(&made->wanted, (uint64_t)made->width, 2);
        for (int32_t i = 0; i < made->width; i++)
            add_field(made, i);
        made->ends[count++] = made->bytes.used;
    }
    add_number(&made->bytes, UINT16_MAX, 2);
    add_number(&made->wanted, UINT16_MAX, 2);
    made->ends[count] = made->bytes.used;
}

/* Pulls all of it; gives what it came to in the end, and what came out. */
static int32_t pull(const input *it, const size_t *ends, dvt_raw *raw, stream *out) {
    dvt_source source = fed(it->bytes.bytes, it->bytes.used, ends, -1);
    *raw = (dvt_raw){.checks = dice(9) ? it->checks : NULL, .width = it->width, .refused = -1};
    int64_t size = 1 + dice(dice(2) ? 40 : 4000), used = 0;
    int32_t outcome;
    out->used = 0;
    do {
        uint8_t *block = malloc((size_t)size); /* of exactly its size, so that a step past it is seen */
        if (block == NULL)
            abort();
        outcome = dvt_pull_raw(&source, raw, block, size, &used);
        if (outcome == DVT_OK || outcome == DVT_ENDED || outcome == DVT_WAITING)
            add(out, block, (size_t)used);
        free(block);
        if (outcome == DVT_SPACE)
            size = raw->length > MOST ? raw->length : 2 * size;
    } while (outcome == DVT_OK || outcome == DVT_SPACE || outcome == DVT_WAITING);
    return outcome;
}

static int check(const input *it, const dvt_raw *raw, int32_t outcome, const stream *out) {
    const stream *wanted = raw->checks ? &it->wanted : &it->bytes;
    if (raw->checks && it->refused >= 0) {
        if (raw->refused != it->refused || outcome == DVT_ENDED)
            fail("a value without a place was not refused by its column");
        return 0;
    }
    if (outcome != DVT_ENDED || raw->refused != -1 || (raw->checks && raw->rows != it->rows))
        fail("rows that are right were refused, or miscounted");
    if (out->used != wanted->used || memcmp(out->bytes, wanted->bytes, wanted->used) != 0)
        fail("other bytes came out");
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s SECONDS SEED\n", argv[0]);
        return 2;
    }
    double seconds = atof(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10), streams = 0, whole = 0;
    static input it;
    stream out = {0};
    time_t begun = time(NULL);
    for (; difftime(time(NULL), begun) < seconds; streams++) {
        seed_dice(seed + streams); /* a failing one can be run alone */
        make(&it);
        int is_changed = dice(2) == 0;
        if (is_changed)
            for (uint32_t left = 1 + dice(4); left > 0; left--)
                it.bytes.bytes[dice((uint32_t)it.bytes.used)] = (uint8_t)(dice(3) ? dice(256) : 0xFF * dice(2));
        dvt_raw raw;
        int32_t outcome = pull(&it, is_changed && dice(2) ? NULL : it.ends, &raw, &out);
        if (!is_changed)
            whole += (uint64_t)check(&it, &raw, outcome, &out);
        dvt_source source = fed(NULL, 0, NULL, -1);
        dvt_free_raw(&source, &raw);
    }
    free(it.bytes.bytes);
    free(it.wanted.bytes);
    free(out.bytes);
    printf("%llu streams, %llu of them whole, seed %llu\n", (unsigned long long)streams, (unsigned long long)whole,
           (unsigned long long)seed);
    return 0;
}
