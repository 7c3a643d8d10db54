/* Streams that a server could send, and what nobody should. */
#include "fuzz.h"

#include <stdlib.h>

shape shape_of(const uint8_t head[HEAD]) {
    shape made = {.width = head[0] % COLUMNS + 1};
    for (int32_t i = 0; i < made.width; i++) {
        uint8_t what = head[1 + 2 * i], digits = head[2 + 2 * i];
        dvt_column *type = made.types + i;
        *type = (dvt_column){(what & 31) % KINDS + 1, 0, what >> 7, ELEMENT_OID};
        if (type->kind == DVT_DECIMAL128 || type->kind == DVT_DECIMAL256) {
            made.precisions[i] = digits % (type->kind == DVT_DECIMAL128 ? 38 : 76) + 1;
            type->scale = digits * 7 % (made.precisions[i] + 1);
        } else if (type->kind == DVT_FIXED) {
            type->scale = digits & 1 ? 16 : digits % 40 + 1;
        }
    }
    made.rows = head[17] & 1 ? head[17] / 20 + 1 : 1000;
    made.bytes = head[18] & 1 ? head[18] + 1 : 1 << 20;
    return made;
}

void add_signature(stream *to) { add(to, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", SIGNATURE_BYTES); }

static void add_numeric(stream *value) {
    uint32_t count = dice(8);
    add_number(value, count, 2);
    add_number(value, dice(4) ? dice(4) : any64(), 2);
    add_number(value, dice(20) ? dice(2) * 0x4000 : any64(), 2);
    add_number(value, 4, 2);
    while (count-- > 0)
        add_number(value, dice(3) ? dice(100) * 100 : dice(10000), 2);
}

static void add_text(stream *value) {
    for (uint32_t left = dice(20); left > 0; left--) {
        if (dice(5))
            add_number(value, dice(2) ? ' ' : 'a', 1);
        else
            add(value, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9);
    }
}

static void add_scalar(stream *to, const dvt_column *type) {
    stream value = {0};
    switch (type->kind) {
    case DVT_BOOL:
        add_number(&value, dice(2), 1);
        break;
    case DVT_INT16:
        add_number(&value, any64(), 2);
        break;
    case DVT_INT32:
    case DVT_FLOAT32:
    case DVT_DATE:
        add_number(&value, any64(), 4);
        break;
    case DVT_DECIMAL128:
    case DVT_DECIMAL256:
        add_numeric(&value);
        break;
    case DVT_INTERVAL:
        add_number(&value, any64() >> 12, 8);
        add_number(&value, any64(), 8);
        break;
    case DVT_FIXED:
        for (int32_t left = type->scale; left > 0; left--)
            add_number(&value, dice(256), 1);
        break;
    case DVT_JSONB:
        add_number(&value, 1, 1);
        add_text(&value);
        break;
    case DVT_TEXT:
    case DVT_PADDED:
    case DVT_BYTES:
        add_text(&value);
        break;
    default: /* 8 bytes */
        add_number(&value, type->kind == DVT_TIME ? dice(86400) : any64(), 8);
    }
    add_number(to, value.used, 4);
    add(to, value.bytes, value.used);
    free(value.bytes);
}

void add_value(stream *to, const dvt_column *type) {
    if (dice(5) == 0) {
        add_number(to, UINT32_MAX, 4);
        return;
    }
    if (!type->is_list) {
        add_scalar(to, type);
        return;
    }
    stream list = {0};
    uint32_t count = dice(5);
    add_number(&list, count > 0, 4);
    add_number(&list, dice(2), 4);
    add_number(&list, ELEMENT_OID, 4);
    if (count > 0) {
        add_number(&list, count, 4);
        add_number(&list, 1, 4);
    }
    for (; count > 0; count--) {
        if (dice(4) == 0)
            add_number(&list, UINT32_MAX, 4);
        else
            add_scalar(&list, type);
    }
    add_number(to, list.used, 4);
    add(to, list.bytes, list.used);
    free(list.bytes);
}

void add_rows(stream *to, const shape *of, uint32_t rows) {
    for (; rows > 0; rows--) {
        add_number(to, (uint64_t)of->width, 2);
        for (int32_t i = 0; i < of->width; i++)
            add_value(to, of->types + i);
    }
}

void mutate(stream *it) {
    static const uint32_t lengths[] = {INT32_MAX, UINT32_MAX, UINT32_MAX - 1, 0, 1, 0x80000000u, 0x7FFFFFF0u};
    for (uint32_t left = dice(4) ? dice(4) : dice(40); left > 0 && it->used > 8; left--) {
        size_t at = dice((uint32_t)it->used - 4), count = dice(8) + 1;
        switch (dice(5)) {
        case 0:
            it->bytes[at] = (uint8_t)dice(256);
            break;
        case 1:
            it->bytes[at] ^= (uint8_t)(1 << dice(8));
            break;
        case 2:
            dvt_put32(it->bytes + at, lengths[dice(7)]);
            break;
        case 3:
            count = count < it->used - at ? count : it->used - at;
            memmove(it->bytes + at, it->bytes + at + count, it->used - at - count);
            it->used -= count;
            break;
        default:
            for (size_t i = 0; i < count; i++)
                add_number(it, 0, 1);
            memmove(it->bytes + at + count, it->bytes + at, it->used - count - at);
        }
    }
}
