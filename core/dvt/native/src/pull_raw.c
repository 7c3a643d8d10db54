/* Rows from libpq as they are, many in one block: for another PostgreSQL, which decodes them itself. */
#include "codec.h"
#include "source.h"

/* A message that did not fit the block before it; of libpq's memory. */
typedef struct {
    char *message;
    int64_t length;
} dvt_held;

DVT_EXPORT int32_t dvt_pull_raw(const dvt_source *source, dvt_held *held, uint8_t *block, int64_t size, int64_t *used);
DVT_EXPORT void dvt_free_held(const dvt_source *source, dvt_held *held);

/* Fills a block with whole messages.
 *
 * `*used` bytes of the block, which takes `size`, are filled. Gives DVT_OK when the next message does not fit (it is
 * held), DVT_SPACE when it does not fit an empty block either, DVT_ENDED, DVT_WAITING or DVT_FAILED; what is in the
 * block counts in every case. */
DVT_EXPORT int32_t dvt_pull_raw(const dvt_source *source, dvt_held *held, uint8_t *block, int64_t size, int64_t *used) {
    *used = 0;
    for (;;) {
        if (held->message == NULL) {
            int got = source->get_copy_data(source->connection, &held->message, 1);
            if (got < 0)
                return got == -1 ? DVT_ENDED : DVT_FAILED;
            if (got == 0) {
                held->message = NULL;
                int32_t waited = dvt_wait_for(source);
                if (waited != DVT_OK)
                    return waited;
                continue;
            }
            held->length = got;
        }
        if (held->length > size - *used)
            return *used > 0 ? DVT_OK : DVT_SPACE;
        memcpy(block + *used, held->message, (size_t)held->length);
        *used += held->length;
        dvt_free_held(source, held);
    }
}

DVT_EXPORT void dvt_free_held(const dvt_source *source, dvt_held *held) {
    if (held->message != NULL)
        source->free_memory(held->message);
    held->message = NULL;
    held->length = 0;
}
