/* Packets of MySQL's text protocol, right and wrong ones, for so many seconds: `fuzz_mysql SECONDS SEED`. The buffer
   has exactly their size, and so a step past a value, a row or a packet ends it. With a folder behind it only writes
   inputs there. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void add_digits(stream *to, uint32_t count) {
    for (; count > 0; count--)
        add_number(to, '0' + dice(10), 1);
}

static void add_text(stream *to, const dvt_column *type) {
    char text[64];
    switch (dice(12) ? type->kind : 0) {
    case DVT_DATE:
    case DVT_TIMESTAMP:
        snprintf(text, sizeof text, "%04u-%02u-%02u", dice(10000), dice(14), dice(33));
        add(to, text, 10);
        if (type->kind == DVT_DATE)
            break;
        add(to, " ", 1);
        /* fall through */
    case DVT_TIME:
        snprintf(text, sizeof text, "%02u:%02u:%02u.", dice(26), dice(61), dice(61));
        add(to, text, dice(2) ? 8 : 9);
        add_digits(to, dice(8));
        break;
    case DVT_FIXED:
        /* Right, or with so many dashes that a decoder of pairs may lose count, as one did; and then any change. */
        memcpy(text, dice(4) ? "123e4567-E89b-12d3-a456-426655440000" : "-23-4567-E89b-12d3-a456-426655440000", 36);
        if (dice(2))
            text[dice(36)] = dice(2) ? '-' : '0';
        add(to, text, dice(9) ? 36 : dice(36));
        break;
    case DVT_TEXT:
    case DVT_BYTES:
        for (uint32_t left = dice(dice(50) ? 10 : 30000); left > 0; left--)
            add(to, "\xf0\x9f\x98\x80", dice(999) ? 4 : 1);
        break;
    default:
        add(to, "-", dice(2));
        add_digits(to, dice(dice(4) ? 6 : 45));
        add(to, ".", dice(2));
        add_digits(to, dice(dice(4) ? 6 : 45));
    }
}

static void add_length(stream *to, size_t length) {
    static const uint8_t marks[] = {0, 0, 0xFC, 0xFD, 0xFE};
    int form = length < 0xFB ? 1 : length < 65536 ? 2 : 3;
    if (form > 1)
        add_number(to, marks[form], 1);
    for (int i = 0; i < (form == 1 ? 1 : form == 2 ? 2 : 3); i++)
        add_number(to, length >> 8 * i & 0xFF, 1);
}

static void add_packet(stream *to, const shape *of, uint8_t number) {
    stream row = {0}, value = {0};
    for (int32_t i = 0; i < of->width; i++) {
        if (dice(6) == 0) {
            add_number(&row, 0xFB, 1);
            continue;
        }
        value.used = 0;
        add_text(&value, of->types + i);
        add_length(&row, value.used);
        add(&row, value.bytes, value.used);
    }
    for (int i = 0; i < 3; i++)
        add_number(to, row.used >> 8 * i & 0xFF, 1);
    add_number(to, number, 1);
    add(to, row.bytes, row.used);
    free(row.bytes);
    free(value.bytes);
}

static void make(stream *input) {
    input->used = 0;
    for (int i = 0; i < HEAD; i++)
        add_number(input, dice(256), 1);
    shape of = mysql_shape_of(input->bytes);
    for (uint32_t row = 0, rows = dice(MYSQL_ROWS); row < rows; row++)
        add_packet(input, &of, (uint8_t)row);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s SECONDS SEED [FOLDER]\n", argv[0]);
        return 2;
    }
    double seconds = atof(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10), results = 0, whole = 0;
    stream input = {0};
    if (argc > 3)
        return write_inputs(make, seed, argv[3]);
    time_t begun = time(NULL);
    for (; difftime(time(NULL), begun) < seconds; results++) {
        seed_dice(seed + results); /* a failing one can be run alone */
        make(&input);
        if (dice(2))
            mutate_input(&input);
        whole += (uint64_t)decode_mysql(input.bytes, input.used);
    }
    free(input.bytes);
    printf("%llu results, %llu of them whole, seed %llu, checksum %llu\n", (unsigned long long)results,
           (unsigned long long)whole, (unsigned long long)seed, (unsigned long long)touched());
    return 0;
}
