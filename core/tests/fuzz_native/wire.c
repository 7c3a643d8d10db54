/* One COPY after another over sockets, by a real libpq, under sanitizers: `wire LIBPQ CONNINFO ATTEMPTS ROWS`.
   Says how many came whole, with so many rows (-1: any), and how many failed. What a cut connection leaves is found as
   a leak: libpq's memory is this program's. */
#include "fuzz.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECTION_OK = 0, COMMAND_OK = 1, COPY_OUT = 3 };

static struct {
    void *(*connect)(const char *);
    int (*status)(void *);
    void *(*execute)(void *, const char *);
    int (*result_status)(void *);
    void *(*next_result)(void *);
    void (*clear)(void *);
    void (*finish)(void *);
    int (*socket)(void *);
    int (*get_copy_data)(void *, char **, int);
    void (*free_memory)(void *);
    int (*consume_input)(void *);
    void *(*set_notices)(void *, void (*)(void *, const char *), void *);
} pq;

static void found(void *library, const char *name, void *place) {
    void *function = dlsym(library, name);
    if (function == NULL)
        fail(name);
    memcpy(place, &function, sizeof function);
}

static void load(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL)
        fail(dlerror());
    found(library, "PQconnectdb", &pq.connect);
    found(library, "PQstatus", &pq.status);
    found(library, "PQexec", &pq.execute);
    found(library, "PQresultStatus", &pq.result_status);
    found(library, "PQgetResult", &pq.next_result);
    found(library, "PQclear", &pq.clear);
    found(library, "PQfinish", &pq.finish);
    found(library, "PQsocket", &pq.socket);
    found(library, "PQgetCopyData", &pq.get_copy_data);
    found(library, "PQfreemem", &pq.free_memory);
    found(library, "PQconsumeInput", &pq.consume_input);
    found(library, "PQsetNoticeProcessor", &pq.set_notices);
}

static void ignore(void *with, const char *message) {
    (void)with;
    (void)message;
}

/* Whether the statement ended well, and nothing behind it was wrong. */
static int is_done(void *connection) {
    void *result = pq.next_result(connection);
    int is_well = result != NULL && pq.result_status(result) == COMMAND_OK;
    while (result != NULL) {
        pq.clear(result);
        result = pq.next_result(connection);
        is_well = is_well && result == NULL;
    }
    return is_well;
}

static void counted(const struct ArrowArray *batch, void *rows) { *(int64_t *)rows += batch->length; }

static int is_whole(void *connection, int64_t rows) {
    static const shape of = {
        .types = {{DVT_INT32, 0, 0, 0}, {DVT_TEXT, 0, 0, 0}, {DVT_INT32, 0, 1, 23}, {DVT_DECIMAL128, 2, 0, 0}},
        .precisions = {0, 0, 0, 10}, .width = 4, .rows = 2, .bytes = 1 << 20};
    if (pq.status(connection) != CONNECTION_OK)
        return 0;
    pq.set_notices(connection, ignore, NULL);
    void *result = pq.execute(connection, "copy (select 1) to stdout (format binary)");
    int is_sending = result != NULL && pq.result_status(result) == COPY_OUT;
    pq.clear(result);
    if (!is_sending)
        return 0;
    dvt_source source = {connection, pq.get_copy_data, pq.free_memory, pq.consume_input, pq.socket(connection), 100};
    int64_t decoded = 0;
    if (decode_all(&of, &source, counted, &decoded) != DVT_ENDED || !is_done(connection))
        return 0;
    if (rows >= 0 && decoded != rows)
        fail("rows of a whole stream");
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    load(argv[1]);
    long whole = 0, attempts = atol(argv[3]);
    for (long i = 0; i < attempts; i++) {
        void *connection = pq.connect(argv[2]);
        whole += is_whole(connection, atol(argv[4]));
        pq.finish(connection);
    }
    printf("%ld whole, %ld failed\n", whole, attempts - whole);
    return 0;
}
