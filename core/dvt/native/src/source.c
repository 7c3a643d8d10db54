#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include "source.h"

#if !defined(_WIN32)
#include <poll.h>
#include <sys/socket.h>
#endif

/* A server sends 8 kB at a time. Whoever wakes for each of them has a switch of processes for a few dozen rows, and so
 * has the server: it is quicker to sleep until there is more, if that does not take long. */
enum { MUCH_BYTES = 256 * 1024, SOON_MS = 2, MOST_WAITS = 8 };

#if !defined(_WIN32)
/* From how many bytes on `poll` calls the socket readable. Where that cannot be set, one byte is enough. */
static void set_enough(int socket, int bytes) {
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}
#endif

/* Whether the socket has something to read within the time; Python waits where there is no poll. */
static int is_readable(const dvt_source *source) {
#if defined(_WIN32)
    (void)source;
    return 0;
#else
    struct pollfd readable = {.fd = source->socket, .events = POLLIN};
    set_enough(source->socket, MUCH_BYTES);
    int is_there = poll(&readable, 1, source->wait_ms < SOON_MS ? source->wait_ms : SOON_MS);
    set_enough(source->socket, 1); /* nobody else who waits for the socket may wait for so much */
    return is_there > 0 || poll(&readable, 1, source->wait_ms) > 0;
#endif
}

int32_t dvt_wait_for(const dvt_source *source, int *waits) {
    int is_there = is_readable(source);
    /* Also when nothing seems to have come: TLS may hold it already. */
    if (!source->consume_input(source->connection))
        return DVT_FAILED;
    return is_there && ++*waits < MOST_WAITS ? 0 : DVT_WAITING;
}
