/* Where rows come from: libpq, whose functions Python found in the library that its driver uses. */
#ifndef DVT_SOURCE_H
#define DVT_SOURCE_H

#include <stdint.h>

/* What a pull came to, beside DVT_OK for a full batch and enum dvt_error; decoder.py has the same numbers. */
enum {
    DVT_ENDED = 1,   /* the trailer came, and then the end */
    DVT_WAITING = 2, /* nothing came for a while, or a signal: to be called again */
    DVT_STOPPED = 3, /* the end without a trailer: the server has something to say */
    DVT_FAILED = 4   /* libpq has something to say */
};

/* libpq's PQgetCopyData, PQfreemem and PQconsumeInput, and a connection of theirs on which a COPY OUT runs. */
typedef struct {
    void *connection;
    int (*get_copy_data)(void *connection, char **buffer, int async);
    void (*free_memory)(void *memory);
    int (*consume_input)(void *connection);
    int32_t socket;
    int32_t wait_ms;
} dvt_source;

/* After PQgetCopyData had nothing: DVT_OK when there may be more now, DVT_WAITING, or DVT_FAILED. `waits` is how often
 * one call of Python's has waited: where rows trickle it has to come back to hear signals. */
int32_t dvt_wait_for(const dvt_source *source, int *waits);

#endif
