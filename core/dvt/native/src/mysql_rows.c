/* Rows of MySQL's text protocol into columns: packets in a buffer that Python has filled, each a row of values behind
   their lengths. The layouts are those of core/dvt/connections/mysql_wire.py and mysql_rows.py. */
#include "building.h"
#include "mysql_values.h"

enum { HEADER = 4, LONGEST = 0xFFFFFF, NULL_MARK = 0xFB };

DVT_EXPORT int64_t dvt_mysql_walk(const uint8_t *data, int64_t position, int64_t end, int64_t *starts, int64_t most,
                                  int64_t *count);
DVT_EXPORT int32_t dvt_mysql_decode(dvt_decoder *decoder, const uint8_t *data, const int64_t *starts, int64_t rows,
                                    int64_t stop, uint8_t *unfit);

/* Where the payloads of complete packets begin, from a position on; gives the place behind the last one. A packet that
   is continued in the next one is not taken. */
DVT_EXPORT int64_t dvt_mysql_walk(const uint8_t *data, int64_t position, int64_t end, int64_t *starts, int64_t most,
                                  int64_t *count) {
    *count = 0;
    while (end - position >= HEADER && *count < most) {
        int64_t size = data[position] | data[position + 1] << 8 | data[position + 2] << 16;
        if (size == LONGEST || size > end - position - HEADER)
            break;
        starts[(*count)++] = position + HEADER;
        position += HEADER + size;
    }
    return position;
}

/* A value's length and where it begins; -1 for NULL, -2 where there is none. */
static int64_t length_of(const uint8_t **p, const uint8_t *end) {
    static const uint8_t widths[] = {2, 3, 8};
    if (*p == end)
        return -2;
    uint8_t first = *(*p)++;
    if (first < NULL_MARK)
        return first <= end - *p ? first : -2;
    if (first == NULL_MARK)
        return -1;
    int width = first == 0xFF ? 0 : widths[first - NULL_MARK - 1];
    if (width == 0 || end - *p < width)
        return -2;
    uint64_t length = 0;
    for (int i = 0; i < width; i++)
        length |= (uint64_t)(*p)[i] << 8 * i;
    *p += width;
    return length <= (uint64_t)(end - *p) ? (int64_t)length : -2;
}

static int32_t put_row(dvt_decoder *decoder, const uint8_t *p, const uint8_t *end, uint8_t *unfit) {
    for (int32_t i = 0; i < decoder->width; i++) {
        dvt_building *column = decoder->columns + i;
        int64_t length = length_of(&p, end);
        if (length < -1)
            return DVT_BROKEN;
        int32_t error = length < 0 || unfit[i] ? put_null(column) : dvt_mysql_value(column, p, (size_t)length);
        if (error == DVT_UNFIT) {
            unfit[i] = 1;
            error = put_null(column);
        } else if (error == DVT_OK && length >= 0 && !unfit[i]) {
            error = counted(column);
        }
        if (error != DVT_OK)
            return error;
        p += length < 0 ? 0 : length;
    }
    decoder->rows++;
    return p == end ? DVT_OK : DVT_BROKEN;
}

/* Rows into the decoder's columns, which dvt_decoder_export then gives.
 *
 * Row i is what lies from `starts[i]` to four bytes before the next row's start, the last one's to `stop`. Where a
 * value has not the plain form of its column's kind, `unfit` of the column becomes 1, and what the column then holds is
 * worth nothing. DVT_BROKEN where a row has other columns, DVT_SPACE where texts could pass the 2 GB of their offsets. */
DVT_EXPORT int32_t dvt_mysql_decode(dvt_decoder *decoder, const uint8_t *data, const int64_t *starts, int64_t rows,
                                    int64_t stop, uint8_t *unfit) {
    if (decoder->error != DVT_OK)
        return decoder->error;
    if (rows > 0 && stop - starts[0] > INT32_MAX)
        return DVT_SPACE;
    for (int64_t i = 0; i < rows && decoder->error == DVT_OK; i++) {
        int64_t end = i + 1 < rows ? starts[i + 1] - HEADER : stop;
        decoder->error = starts[i] > end ? DVT_BROKEN : put_row(decoder, data + starts[i], data + end, unfit);
    }
    return decoder->error;
}
