#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 1;

void seed_dice(uint64_t seed) { state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1; }

uint32_t dice(uint32_t sides) { /* xorshift64*, Vigna 2014 */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 32) % sides;
}

uint64_t any64(void) {
    static const uint64_t edges[] = {0, 1, UINT64_MAX, INT64_MAX, UINT64_C(1) << 63, INT32_MAX, 9223372036854775};
    return dice(3) ? ((uint64_t)dice(UINT32_MAX) << 32 | dice(UINT32_MAX)) >> dice(64) : edges[dice(7)];
}

_Noreturn void fail(const char *what) {
    fprintf(stderr, "wrong: %s\n", what);
    abort();
}

void add(stream *to, const void *bytes, size_t count) {
    if (to->used + count > to->capacity) {
        to->capacity = 2 * (to->used + count);
        to->bytes = realloc(to->bytes, to->capacity);
        if (to->bytes == NULL)
            abort();
    }
    if (count)
        memcpy(to->bytes + to->used, bytes, count);
    to->used += count;
}

void add_number(stream *to, uint64_t number, int bytes) {
    uint8_t out[8];
    dvt_put64(out, number);
    add(to, out + 8 - bytes, (size_t)bytes);
}

static const uint8_t *given;
static size_t left, position;
static const size_t *next_end;
static int at_end;

static int get_copy_data(void *connection, char **buffer, int async) {
    (void)connection;
    (void)async;
    if (left == 0)
        return at_end;
    if (dice(8) == 0)
        return 0;
    size_t count = next_end ? *next_end++ - position : dice(6) ? left : dice((uint32_t)left) + 1;
    *buffer = malloc(count);
    if (*buffer == NULL)
        abort();
    memcpy(*buffer, given + position, count);
    position += count;
    left -= count;
    return (int)count;
}

static int consume_input(void *connection) {
    (void)connection;
    return at_end == -1 || dice(200) != 0;
}

dvt_source fed(const uint8_t *bytes, size_t count, const size_t *ends, int end) {
    given = bytes;
    left = count;
    position = 0;
    next_end = ends;
    at_end = end;
    return (dvt_source){NULL, get_copy_data, free, consume_input, -1, 0};
}
