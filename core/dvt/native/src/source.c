#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L
#endif
#include "source.h"

#if !defined(_WIN32)
#include <poll.h>
#endif

/* Whether the socket has something to read within the time; Python waits where there is no poll. */
static int is_readable(const dvt_source *source) {
#if defined(_WIN32)
    (void)source;
    return 0;
#else
    struct pollfd readable = {.fd = source->socket, .events = POLLIN};
    return poll(&readable, 1, source->wait_ms) > 0;
#endif
}

int32_t dvt_wait_for(const dvt_source *source) {
    int is_there = is_readable(source);
    /* Also when nothing seems to have come: TLS may hold it already. */
    if (!source->consume_input(source->connection))
        return DVT_FAILED;
    return is_there ? 0 : DVT_WAITING;
}
