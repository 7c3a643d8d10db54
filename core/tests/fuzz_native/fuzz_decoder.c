/* Mutated binary COPY for the decoder, by a libpq of its own, for so many seconds: `fuzz_decoder SECONDS SEED`.
   Compiled with the decoder's sources and with sanitizers, which end it at the first wrong step. The same seed gives
   the same streams. With a folder behind it only writes inputs there, of which libFuzzer makes others. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void make(stream *input) {
    input->used = 0;
    for (int i = 0; i < HEAD; i++)
        add_number(input, dice(256), 1);
    shape of = shape_of(input->bytes);
    add_signature(input);
    add_rows(input, &of, dice(30));
    add_number(input, UINT16_MAX, 2);
}

/* A short stream, ended at each of its bytes: nothing but the whole of it is one. */
static void cut(const stream *whole) {
    shape of = shape_of(whole->bytes);
    for (size_t count = 0; count <= whole->used - HEAD; count++) {
        for (int end = -2; end <= -1; end++) {
            dvt_source source = fed(whole->bytes + HEAD, count, NULL, end);
            int32_t outcome = decode_all(&of, &source, NULL, NULL);
            if (outcome == DVT_ENDED && (end != -1 || count < whole->used - HEAD))
                fail("an end before the end");
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s SECONDS SEED [FOLDER]\n", argv[0]);
        return 2;
    }
    double seconds = atof(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10), streams = 0, whole = 0;
    stream input = {0};
    if (argc > 3)
        return write_inputs(make, seed, argv[3]);
    time_t begun = time(NULL);
    for (; difftime(time(NULL), begun) < seconds; streams++) {
        seed_dice(seed + streams); /* a failing one can be run alone */
        make(&input);
        if (streams % 1000 == 0 && input.used < 2000)
            cut(&input);
        if (dice(4))
            mutate_input(&input);
        whole += decode_input(input.bytes, input.used) == DVT_ENDED;
    }
    free(input.bytes);
    printf("%llu streams, %llu of them whole, seed %llu, checksum %llu\n", (unsigned long long)streams,
           (unsigned long long)whole, (unsigned long long)seed, (unsigned long long)touched());
    return 0;
}
