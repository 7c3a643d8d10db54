#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

void mutate_input(stream *input) {
    uint8_t head[HEAD];
    memcpy(head, input->bytes, HEAD);
    stream body = {0};
    add(&body, input->bytes + HEAD, input->used - HEAD);
    mutate(&body);
    input->used = 0;
    add(input, head, HEAD);
    add(input, body.bytes, body.used);
    free(body.bytes);
}

int write_inputs(void (*make)(stream *), uint64_t seed, const char *folder) {
    stream input = {0};
    int is_well = 1;
    for (int i = 0; is_well && i < 200; i++) {
        char path[4096];
        seed_dice(seed + (uint64_t)i);
        make(&input);
        snprintf(path, sizeof path, "%s/%03d", folder, i);
        FILE *file = fopen(path, "wb");
        is_well = file != NULL && fwrite(input.bytes, 1, input.used, file) == input.used && fclose(file) == 0;
    }
    free(input.bytes);
    return !is_well;
}
