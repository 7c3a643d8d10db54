/* Only the forms that the servers print for plain values are read here; a zero date, a TIME past a day or a text that
   is not UTF-8 is left to Python, which has the rules and the words for them. */
#include "mysql_values.h"
#include "building.h"
#include "words.h"

enum { DIGITS_OF_64_BITS = 19, DECIMAL_DIGITS = 38, CHUNK = 9 };

static int is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* So many digits as a number, -1 where one is none. At most nine. */
static int32_t digits(const uint8_t *p, int count) {
    int32_t number = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(p[i]))
            return -1;
        number = number * 10 + (p[i] - '0');
    }
    return number;
}

static int32_t put_integer(dvt_building *column, const uint8_t *p, size_t length) {
    int is_negative = length > 0 && p[0] == '-';
    const uint8_t *end = p + length;
    uint64_t number = 0;
    p += is_negative;
    if (p == end)
        return DVT_UNFIT;
    while (end - p > 1 && *p == '0') /* ZEROFILL */
        p++;
    if (end - p > DIGITS_OF_64_BITS + 1)
        return DVT_UNFIT;
    for (; p < end; p++) {
        if (!is_digit(*p) || number > (UINT64_MAX - (uint64_t)(*p - '0')) / 10)
            return DVT_UNFIT;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    int bits = 8 * column->width, is_unsigned = column->type.scale == 1;
    uint64_t most = is_unsigned ? UINT64_MAX >> (64 - bits) : (UINT64_C(1) << (bits - 1)) - 1 + (uint64_t)is_negative;
    if (number > most || (is_unsigned && is_negative))
        return DVT_UNFIT;
    uint64_t value = is_negative ? 0 - number : number;
    uint8_t narrow8 = (uint8_t)value;
    uint16_t narrow16 = (uint16_t)value;
    uint32_t narrow32 = (uint32_t)value;
    switch (column->width) {
    case 1:
        return put(column, &narrow8, 1);
    case 2:
        return put(column, &narrow16, 2);
    case 4:
        return put(column, &narrow32, 4);
    default:
        return put(column, &value, 8);
    }
}

/* The digits of a number as the server prints it: some, and behind a point some; none of the zeros in front. */
static int find_digits(const uint8_t *p, const uint8_t *end, uint8_t *found, int32_t *count, int32_t *after) {
    const uint8_t *point = NULL, *first = p;
    *count = *after = 0;
    for (; p < end; p++) {
        if (*p == '.' && point == NULL && p > first) {
            point = p;
            continue;
        }
        if (!is_digit(*p))
            return 0;
        if (*count == 0 && *p == '0')
            continue;
        if (*count == DECIMAL_DIGITS)
            return 0;
        found[(*count)++] = *p;
    }
    if (point != NULL)
        *after = (int32_t)(end - point < DECIMAL_DIGITS + 2 ? end - point - 1 : DECIMAL_DIGITS + 1);
    return end > first && (point == NULL || *after > 0);
}

static int32_t put_decimal(dvt_building *column, const uint8_t *p, size_t length) {
    uint8_t found[DECIMAL_DIGITS], value[16];
    int32_t count, after;
    int is_negative = length > 0 && p[0] == '-';
    if (!find_digits(p + is_negative, p + length, found, &count, &after))
        return DVT_UNFIT;
    int32_t zeros = column->type.scale - after;
    if (zeros < 0 || (count > 0 && count + zeros > column->precision))
        return DVT_UNFIT;
    uint32_t words[4] = {0};
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    for (int32_t i = 0; i < count; i += CHUNK) {
        int32_t some = count - i < CHUNK ? count - i : CHUNK;
        multiply(words, 4, powers[some], (uint32_t)digits(found + i, some));
    }
    for (; count > 0 && zeros > 0; zeros -= CHUNK)
        multiply(words, 4, powers[zeros < CHUNK ? zeros : CHUNK], 0);
    if (is_negative)
        negate(words, 4);
    store(words, 4, value);
    return put(column, value, sizeof value);
}

/* Days since 1970-01-01 of a day of the years 1 to 9999; INT32_MIN where there is none. After Hinnant's
   days_from_civil. */
static int32_t days_of(const uint8_t *p) {
    static const int8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t year = digits(p, 4), month = digits(p + 5, 2), day = digits(p + 8, 2);
    if (p[4] != '-' || p[7] != '-' || year < 1 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1])
        return INT32_MIN;
    if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
        return INT32_MIN;
    int32_t of_march = year - (month <= 2), era = of_march / 400, of_era = of_march % 400;
    int32_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Microseconds of HH:MM:SS and up to six digits behind a point; -1 where there are none of a day. */
static int64_t micros_of(const uint8_t *p, size_t length) {
    if (length < 8 || length == 9 || length > 15 || p[2] != ':' || p[5] != ':')
        return -1;
    int32_t hours = digits(p, 2), minutes = digits(p + 3, 2), seconds = digits(p + 6, 2), fraction = 0;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59)
        return -1;
    if (length > 8) {
        int count = (int)length - 9;
        fraction = p[8] == '.' ? digits(p + 9, count) : -1;
        if (fraction < 0)
            return -1;
        for (; count < 6; count++)
            fraction *= 10;
    }
    return ((int64_t)hours * 3600 + minutes * 60 + seconds) * 1000000 + fraction;
}

static int32_t put_day(dvt_building *column, const uint8_t *p, size_t length) {
    int32_t days = length == 10 ? days_of(p) : INT32_MIN;
    return days == INT32_MIN ? DVT_UNFIT : put_int32(column, days);
}

static int32_t put_moment(dvt_building *column, const uint8_t *p, size_t length) {
    if (length < 19 || p[10] != ' ')
        return DVT_UNFIT;
    int32_t days = days_of(p);
    int64_t micros = micros_of(p + 11, length - 11);
    if (days == INT32_MIN || micros < 0)
        return DVT_UNFIT;
    return put_int64(column, days * INT64_C(86400000000) + micros);
}

static int32_t put_clock(dvt_building *column, const uint8_t *p, size_t length) {
    int64_t micros = micros_of(p, length);
    return micros < 0 ? DVT_UNFIT : put_int64(column, micros);
}

static int hexadecimal(uint8_t c) {
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int32_t put_uuid(dvt_building *column, const uint8_t *p, size_t length) {
    uint8_t value[16];
    if (length != 36 || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return DVT_UNFIT;
    for (int i = 0, at = 0; i < 16; i++, at += 2) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            at++;
        int high = hexadecimal(p[at]), low = hexadecimal(p[at + 1]);
        if (high < 0 || low < 0)
            return DVT_UNFIT;
        value[i] = (uint8_t)(high << 4 | low);
    }
    return put(column, value, sizeof value);
}

static int32_t unfit_unless(int32_t error) { return error == DVT_UTF8 ? DVT_UNFIT : error; }

int32_t dvt_mysql_value(dvt_building *column, const uint8_t *p, size_t length) {
    switch (column->type.kind) {
    case DVT_INT8:
    case DVT_INT16:
    case DVT_INT32:
    case DVT_INT64:
        return put_integer(column, p, length);
    case DVT_DECIMAL128:
        return put_decimal(column, p, length);
    case DVT_DATE:
        return put_day(column, p, length);
    case DVT_TIME:
        return put_clock(column, p, length);
    case DVT_TIMESTAMP:
        return put_moment(column, p, length);
    case DVT_FIXED:
        return column->width == 16 ? put_uuid(column, p, length) : DVT_BROKEN;
    case DVT_TEXT:
        return unfit_unless(put_text(column, p, length));
    case DVT_BYTES:
        return put_bytes(column, p, length);
    default:
        return DVT_BROKEN;
    }
}
