/* numeric (PostgreSQL's numeric_send: digits of base 10000, the weight of the first) as a whole number of 128 or 256
   bits that counts units of 10^-scale; exact, or refused. */
#include "decode.h"
#include "words.h"

enum { POSITIVE = 0x0000, NEGATIVE = 0x4000, NOT_A_NUMBER = 0xC000, INFINITE = 0xD000, MINUS_INFINITE = 0xF000 };
enum { BASE_DIGITS = 4, WORDS_AT_MOST = 8 };

static const uint32_t POWERS[] = {1, 10, 100, 1000, 10000};

/* The digits that count: neither zeros in front nor at the end, the last one cut to the digits that the scale has. */
typedef struct {
    const uint8_t *first;
    int32_t count;
    uint32_t last;   /* the last one, without digits that are zero past the scale */
    int32_t last_by; /* decimal digits of it */
    int32_t zeros;   /* decimal zeros after it */
    int32_t digits;  /* decimal digits of the whole number */
} significant;

static int32_t decimal_digits(uint32_t group) { return group >= 1000 ? 4 : group >= 100 ? 3 : group >= 10 ? 2 : 1; }

static int32_t find_digits(const uint8_t *p, int32_t count, int32_t weight, int32_t scale, significant *found) {
    const uint8_t *first = p + 8;
    while (count > 0 && dvt_get16(first + 2 * (count - 1)) == 0)
        count--;
    weight -= count; /* from here on: of the place after the last digit, less one group */
    while (count > 0 && dvt_get16(first) == 0) {
        first += 2;
        count--;
    }
    found->first = first;
    found->count = count;
    if (count == 0)
        return DVT_OK;
    /* |weight| <= 2^15 + 2^15 groups, the scale is small: no overflow */
    int32_t zeros = scale + BASE_DIGITS * (weight + 1);
    found->last = dvt_get16(first + 2 * (count - 1));
    found->last_by = BASE_DIGITS;
    if (zeros < 0) {
        if (zeros <= -BASE_DIGITS || found->last % POWERS[-zeros] != 0)
            return DVT_DIGITS;
        found->last /= POWERS[-zeros];
        found->last_by += zeros;
        zeros = 0;
    }
    found->zeros = zeros;
    int32_t lead = count == 1 ? decimal_digits(found->last) : decimal_digits(dvt_get16(first));
    found->digits = lead + (count == 1 ? 0 : BASE_DIGITS * (count - 2) + found->last_by) + zeros;
    return DVT_OK;
}

static uint64_t small_number(const significant *found) {
    uint64_t number = 0;
    for (int32_t i = 0; i < found->count - 1; i++)
        number = number * 10000 + dvt_get16(found->first + 2 * i);
    number = (found->count > 1 ? number * POWERS[found->last_by] : 0) + found->last;
    for (int32_t zeros = found->zeros; zeros > 0; zeros -= BASE_DIGITS)
        number *= POWERS[zeros > BASE_DIGITS ? BASE_DIGITS : zeros];
    return number;
}

static void large_number(const significant *found, uint32_t *words, int32_t count) {
    for (int32_t i = 0; i < found->count - 1; i++)
        multiply(words, count, 10000, dvt_get16(found->first + 2 * i));
    multiply(words, count, POWERS[found->last_by], found->last);
    for (int32_t zeros = found->zeros; zeros > 0; zeros -= BASE_DIGITS)
        multiply(words, count, POWERS[zeros > BASE_DIGITS ? BASE_DIGITS : zeros], 0);
}

int32_t dvt_numeric(const uint8_t *p, int64_t length, const dvt_building *column, uint8_t *out) {
    if (length < 8)
        return DVT_BROKEN;
    int32_t count = dvt_get16(p), weight = (int16_t)dvt_get16(p + 2);
    uint16_t sign = dvt_get16(p + 4);
    if (length != 8 + 2 * (int64_t)count)
        return DVT_BROKEN;
    if (sign == NOT_A_NUMBER || sign == INFINITE || sign == MINUS_INFINITE)
        return DVT_NAN;
    if (sign != POSITIVE && sign != NEGATIVE)
        return DVT_BROKEN;
    for (int32_t i = 0; i < count; i++)
        if (dvt_get16(p + 8 + 2 * i) > 9999)
            return DVT_BROKEN;
    significant found;
    uint32_t words[WORDS_AT_MOST] = {0};
    int32_t error = find_digits(p, count, weight, column->type.scale, &found);
    if (error != DVT_OK)
        return error;
    int32_t size = column->width / 4;
    if (found.count > 0) {
        if (found.digits > column->precision)
            return DVT_DIGITS;
        if (found.digits <= 19) { /* 10^19 < 2^64 */
            uint64_t number = small_number(&found);
            words[0] = (uint32_t)number;
            words[1] = (uint32_t)(number >> 32);
        } else {
            large_number(&found, words, size);
        }
        if (sign == NEGATIVE)
            negate(words, size);
    }
    store(words, size, out);
    return DVT_OK;
}
