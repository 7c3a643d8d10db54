/* Arrow batches through the encoder, and back through the decoder, for so many seconds: `fuzz_encoder SECONDS SEED`.
   Offsets, bitmaps, lists and buffers are of any shape, and hold what is not to be read: a step past them, or a value
   that comes back as another, ends it. A third of the batches has values that PostgreSQL refuses: the error has to name
   the column and row of one. */
#include "batches.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t dvt_encode(const struct ArrowArray *, const dvt_column *, int32_t, int64_t, uint8_t *, int64_t, int64_t *,
                   dvt_problem *);

static int has_unfit(const made_batch *made, int32_t column, int64_t row) {
    const struct ArrowArray *array = made->children[column];
    return is_unfit(array, made->of.types + column, array->offset + made->array.offset + row);
}

static void check_refusal(const made_batch *made, const dvt_problem *problem) {
    if (problem->column < 0 || problem->column >= made->of.width || problem->row < 0 ||
        problem->row >= made->array.length || !has_unfit(made, problem->column, problem->row))
        fail("the place of a refusal");
}

static void check_nothing_unfit(const made_batch *made) {
    for (int32_t i = 0; i < made->of.width; i++)
        for (int64_t row = 0; row < made->array.length; row++)
            if (has_unfit(made, i, row))
                fail("a value that should have been refused");
}

typedef struct {
    stream bytes;
    size_t ends[64]; /* of its messages: the signature, pieces of whole rows, the trailer */
    int count;
} messages;

static void end_message(messages *to) { to->ends[to->count++] = to->bytes.used; }

/* All rows, in buffers of any size; 0 where one was refused. */
static int encode_all(const made_batch *made, messages *to) {
    int64_t row = 0, size = dice(3) ? dice(300) + 1 : 1 << 16;
    while (row < made->array.length) {
        uint8_t *out = malloc((size_t)size);
        if (out == NULL)
            abort();
        int64_t next = -1;
        dvt_problem problem = {0, -9, -9, 0};
        int64_t written = dvt_encode(&made->array, made->of.types, made->of.width, row, out, size, &next, &problem);
        if (written < 0 && problem.code != written)
            fail("the code of a problem");
        if (written == DVT_SPACE) {
            free(out);
            if (problem.row != row)
                fail("the row that has no space");
            size *= 2;
            continue;
        }
        if (written < 0) {
            free(out);
            check_refusal(made, &problem);
            return 0;
        }
        if (next <= row || next > made->array.length || written > size)
            fail("rows that were written");
        add(&to->bytes, out, (size_t)written);
        end_message(to);
        free(out);
        row = next;
    }
    check_nothing_unfit(made);
    return 1;
}

typedef struct {
    const made_batch *made;
    int64_t rows;
} compared;

static void compare(const struct ArrowArray *batch, void *with) {
    compared *so_far = with;
    const made_batch *made = so_far->made;
    for (int32_t i = 0; i < made->of.width; i++) {
        const struct ArrowArray *array = made->children[i];
        int64_t first = array->offset + made->array.offset + so_far->rows;
        for (int64_t row = 0; row < batch->length; row++)
            if (!is_same(made->of.types + i, batch->children[i], row, array, first + row))
                fail("a value that came back as another");
    }
    so_far->rows += batch->length;
}

static int once(void) {
    messages sent = {0};
    made_batch *made = new_batch(dice(3) == 0);
    add_signature(&sent.bytes);
    end_message(&sent);
    int is_whole = encode_all(made, &sent);
    if (is_whole && !made->has_negative_scale) {
        add_number(&sent.bytes, UINT16_MAX, 2);
        end_message(&sent);
        dvt_source source = fed(sent.bytes.bytes, sent.bytes.used, sent.ends, -1);
        compared found = {made, 0};
        if (decode_all(&made->of, &source, compare, &found) != DVT_ENDED || found.rows != made->array.length)
            fail("rows that do not come back");
    }
    free(sent.bytes.bytes);
    free_batch(made);
    return is_whole;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s SECONDS SEED\n", argv[0]);
        return 2;
    }
    double seconds = atof(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10), batches = 0, whole = 0;
    time_t begun = time(NULL);
    for (; difftime(time(NULL), begun) < seconds; batches++) {
        seed_dice(seed + batches); /* a failing one can be run alone */
        whole += (uint64_t)once();
    }
    printf("%llu batches, %llu of them whole, seed %llu, checksum %llu\n", (unsigned long long)batches,
           (unsigned long long)whole, (unsigned long long)seed, (unsigned long long)touched());
    return 0;
}
