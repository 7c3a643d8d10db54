/* libFuzzer's entry for rows of MySQL, as in libfuzzer_decoder.c. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode_mysql(data, size);
    return 0;
}
