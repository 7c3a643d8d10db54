#ifndef DVT_NUMERIC_H
#define DVT_NUMERIC_H

#include <stdint.h>

/* Writes a decimal of `words` 64-bit words (two's complement, least first) as numeric's field with its length.
 * At most 54 bytes. A negative scale means zeros before the point. */
uint8_t *dvt_put_numeric(uint8_t *p, const uint8_t *value, int words, int32_t scale);

#endif
