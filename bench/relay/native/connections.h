// Connections of both sides: made, written to, dropped.
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "latencies.h"

enum { CLIENTS_LIMIT = 2000, MESSAGE_LIMIT = 8192 };
enum { RELAYED_UP, RELAYED_DOWN, SESSIONS, LOST, LATE, FLOODED_BYTES, FLOODED_PORT, COUNTERS };
enum side { CLIENT, UPSTREAM };
enum stage { CONNECTING, UPGRADING, OPEN, TALKING };

struct connection {
    int fd;
    enum side side;
    enum stage stage;
    char id[12];
    uint64_t started_ns;
    uint8_t *in, *out;
    size_t in_bytes, in_limit, out_bytes;
    unsigned response, deltas;
    unsigned long flood_messages;  // still to be sent, as fast as they are taken
    uint64_t flooded_bytes;
};

static struct connection *sides[2][CLIENTS_LIMIT];  // clients and upstream connections by their place
static unsigned counts[2];
static uint64_t *counters;
static int poller, is_closing;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int operation, struct connection *one, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = one};
    if (epoll_ctl(poller, operation, one->fd, &event)) fail("epoll_ctl");
}

static struct connection *add(enum side side, int fd, enum stage stage, uint32_t events) {
    static unsigned made;
    struct connection *one = calloc(1, sizeof *one);
    unsigned place = 0;
    int yes = 1;
    while (place < CLIENTS_LIMIT && sides[side][place]) place++;
    if (fd < 0 || place == CLIENTS_LIMIT) fail("connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    one->fd = fd, one->side = side, one->stage = stage, one->started_ns = now_ns();
    snprintf(one->id, sizeof one->id, "%08x", made++);
    sides[side][place] = one;
    counts[side]++;
    watch(EPOLL_CTL_ADD, one, events);
    return one;
}

static void drop(struct connection *one) {
    if (one->side == CLIENT && one->stage >= OPEN) counters[SESSIONS]--;
    if (one->side == CLIENT && !is_closing) counters[LOST]++;
    for (unsigned place = 0; place < CLIENTS_LIMIT; place++)
        if (sides[one->side][place] == one) sides[one->side][place] = NULL;
    counts[one->side]--;
    close(one->fd);
    free(one->in);
    free(one->out);
    one->in = one->out = NULL;
    one->fd = -1;  // kept: events at hand may still name it
}

static void write_bytes(struct connection *one, const void *bytes, size_t size) {
    ssize_t put = one->out_bytes ? 0 : send(one->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0) put = 0;  // a broken connection is told by reading
    if ((size_t)put == size) return;
    counters[LATE]++;
    one->out = realloc(one->out, one->out_bytes + size - (size_t)put);
    memcpy(one->out + one->out_bytes, (const uint8_t *)bytes + put, size - (size_t)put);
    one->out_bytes += size - (size_t)put;
    watch(EPOLL_CTL_MOD, one, EPOLLIN | EPOLLOUT);
}

static void flush(struct connection *one) {
    ssize_t put = send(one->fd, one->out, one->out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0) return;
    one->out_bytes -= (size_t)put;
    memmove(one->out, one->out + put, one->out_bytes);
    if (!one->out_bytes) watch(EPOLL_CTL_MOD, one, EPOLLIN);
}

static size_t send_text(struct connection *one, const char *text, size_t size) {  // returns the bytes of the frame
    uint8_t frame[MESSAGE_LIMIT + HEADER_LIMIT];
    size_t frame_bytes = write_frame(frame, OPCODE_TEXT, text, size, one->side == CLIENT);
    write_bytes(one, frame, frame_bytes);
    return frame_bytes;
}

#endif
