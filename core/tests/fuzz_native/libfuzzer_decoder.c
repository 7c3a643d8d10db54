/* libFuzzer's entry: its engine looks for inputs that reach what none has reached (clang -fsanitize=fuzzer). */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode_input(data, size);
    return 0;
}
