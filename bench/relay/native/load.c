// The load of the relay benchmark: many clients and the scripted upstream that they reach through a relay.
//
// One process, one thread, so that both ends of a message have one clock. Talking clients send an append every 40 ms,
// the upstream sends a delta every 40 ms; all are paced open-loop with evenly spread phases. `event_id` of both holds
// the time of sending, so the one-way latency is read when they arrive.
//
// Usage: load COUNTERS_FILE KEY. Prints the upstream's port, then reads commands and answers each by a line:
//   open COUNT PORT PATH idle|talk GAP_US   connect clients, GAP_US apart (0: one when the last has its session)
//   close                                   drop all clients and wait until the upstream's connections are gone
//   reset | report                          forget the latencies; print figures as JSON
// A `response.create` that holds `flood=COUNT` is answered with so many deltas as fast as they are taken.
// COUNTERS_FILE holds uint64s in native order: messages relayed up, down, open sessions, lost ones, messages that were
// late, bytes of the flood that the network took, port of the relay's connection that they went to.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"
#include "script.h"

enum { BATCH = 256 };
static const uint64_t PERIOD_NS = PERIOD_MS * 1000000ull;

struct order {  // of clients, as the command `open` gave it
    unsigned wanted, begun, is_talking;
    uint16_t port;
    char path[300];
    uint64_t gap_ns, next_ns;
};

static struct order order;
static int listener, owes_answer;
static uint64_t next_tick, ticks_from_ns;
static char audio[AUDIO_CHARACTERS + 1];
static const char *key;  // that clients present

static void send_events(struct connection *one, const char *const *events) {
    char text[MESSAGE_LIMIT];
    for (; *events; events++) {
        int size = snprintf(text, sizeof text, *events, one->id, one->response);
        send_text(one, text, (size_t)size);
    }
}

static size_t send_audio(struct connection *one) {  // returns the bytes of its frame
    char text[MESSAGE_LIMIT];
    unsigned long long now = now_ns();
    int size = one->side == CLIENT ? snprintf(text, sizeof text, APPEND, now, audio)
                                   : snprintf(text, sizeof text, DELTA, now, one->id, one->response, one->id,
                                              one->response, audio);
    return send_text(one, text, (size_t)size);
}

// Send deltas until the network takes no more; for one connection at a time.
static void flood(struct connection *one) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    if (!getpeername(one->fd, (struct sockaddr *)&peer, &size)) counters[FLOODED_PORT] = ntohs(peer.sin_port);
    for (; one->flood_messages && !one->out_bytes; one->flood_messages--) one->flooded_bytes += send_audio(one);
    counters[FLOODED_BYTES] = one->flooded_bytes - one->out_bytes;
}

static void continue_response(struct connection *one) {
    send_audio(one);
    one->deltas++;
    if (one->deltas % TRANSCRIPT_EVERY == 0) send_events(one, TRANSCRIPT);
    if (one->deltas == SPEECH_STARTS_AT) send_events(one, SPEECH_STARTED);
    if (one->deltas == SPEECH_STOPS_AT) send_events(one, SPEECH_STOPPED);
    if (one->deltas < CYCLE_DELTAS) return;
    one->stage = OPEN;
    send_events(one, END);
}

// Messages ----------------------------------------------------------------------------------------------------------

static int is_type(const struct frame *frame, const char *type) {  // looks where every relay leaves the type
    return memmem(frame->payload, frame->size < 200 ? frame->size : 200, type, strlen(type)) != NULL;
}

static void take_audio(enum side from, const struct frame *frame) {
    const char *at = memmem(frame->payload, frame->size, "event_T", 7);
    if (at && at + 23 <= (char *)frame->payload + frame->size) note_latency(from, strtoull(at + 7, NULL, 16));
}

static void take_request(struct connection *one, const struct frame *message) {
    counters[RELAYED_UP]++;
    if (is_type(message, "\"input_audio_buffer.append\"")) {
        take_audio(CLIENT, message);
    } else if (is_type(message, "\"session.update\"")) {
        send_events(one, UPDATED);
    } else if (is_type(message, "\"response.create\"") && one->stage == OPEN) {
        one->response++, one->deltas = 0, one->stage = TALKING;
        send_events(one, BEGIN);
        const char *wish = memmem(message->payload, message->size, "flood=", 6);
        if (wish) one->flood_messages = strtoul(wish + 6, NULL, 10), one->stage = OPEN;
        if (wish) flood(one);
    }
}

static void take_event(struct connection *one, const struct frame *message) {
    counters[RELAYED_DOWN]++;
    if (is_type(message, "audio.delta\"")) {
        take_audio(UPSTREAM, message);
    } else if (is_type(message, "\"session.created\"")) {
        note_connect(one->started_ns);
        if (!order.gap_ns && order.begun < order.wanted) order.next_ns = now_ns();
        if (order.is_talking) send_text(one, UPDATE, sizeof UPDATE - 1);
    } else if (is_type(message, "\"session.updated\"")) {
        one->stage = TALKING;
        send_text(one, CREATE, sizeof CREATE - 1);
    } else if (is_type(message, "\"response.done\"")) {
        send_text(one, CREATE, sizeof CREATE - 1);
    }
}

static void take_frame(struct connection *one, const struct frame *frame) {
    uint8_t answer[HEADER_LIMIT + 125];
    if (frame->opcode == OPCODE_PING)
        write_bytes(one, answer, write_frame(answer, OPCODE_PONG, frame->payload, frame->size, one->side == CLIENT));
    else if (frame->opcode == OPCODE_CLOSE)
        drop(one);
    else if (frame->opcode == OPCODE_TEXT && one->side == CLIENT)
        take_event(one, frame);
    else if (frame->opcode == OPCODE_TEXT)
        take_request(one, frame);
}

// The upgrade -------------------------------------------------------------------------------------------------------

static void ask_upgrade(struct connection *one) {
    char head[600];
    int size = snprintf(head, sizeof head,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                        "Authorization: Bearer %s\r\n\r\n", order.path, order.port, key);
    one->stage = UPGRADING;
    watch(EPOLL_CTL_MOD, one, EPOLLIN);
    write_bytes(one, head, (size_t)size);
}

static void answer_upgrade(struct connection *one, const char *head) {
    char accept[29], answer[200];
    const char *nonce = strcasestr(head, "sec-websocket-key:");
    if (!nonce) return drop(one);
    for (nonce += 18; *nonce == ' ';) nonce++;
    accept_key(nonce, strcspn(nonce, "\r "), accept);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    write_bytes(one, answer, (size_t)size);
    one->stage = OPEN;
    send_events(one, CREATED);
}

// Return the bytes of the head, 0 while it is not whole.
static size_t take_head(struct connection *one, uint8_t *data, size_t have) {
    uint8_t *end = memmem(data, have, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    if (one->side == UPSTREAM) {
        answer_upgrade(one, (char *)data);
    } else if (strstr((char *)data, " 101 ")) {
        one->stage = OPEN;
        counters[SESSIONS]++;
    } else {
        fprintf(stderr, "refused: %.80s\n", data);
        drop(one);
    }
    return (size_t)(end + 4 - data);
}

// Descriptors -------------------------------------------------------------------------------------------------------

static size_t take_bytes(struct connection *one, uint8_t *data, size_t have) {
    size_t at = 0, taken = 1;
    struct frame frame;
    while (taken && at < have && one->fd >= 0) {
        if (one->stage == UPGRADING) {
            taken = take_head(one, data + at, have - at);
        } else if ((taken = read_frame(data + at, have - at, &frame))) {
            take_frame(one, &frame);
        }
        at += taken;
    }
    return at;
}

static void keep_rest(struct connection *one, const uint8_t *data, size_t size) {
    if (size > one->in_limit) one->in = realloc(one->in, one->in_limit = size);
    memcpy(one->in, data, size);
    one->in_bytes = size;
}

static void receive(struct connection *one) {
    static uint8_t buffer[256 * 1024];
    size_t have = one->in_bytes;
    if (have) memcpy(buffer, one->in, have);
    ssize_t got = recv(one->fd, buffer + have, sizeof buffer - have - 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(one);
    have += (size_t)got;
    size_t taken = take_bytes(one, buffer, have);
    if (one->fd >= 0) keep_rest(one, buffer + taken, have - taken);
}

static void serve(struct connection *one, uint32_t events) {
    if (one->stage == CONNECTING && events & EPOLLOUT) return ask_upgrade(one);
    if (events & EPOLLOUT && one->out_bytes) flush(one);
    if (events & EPOLLOUT && one->flood_messages) flood(one);
    if (events & ~(uint32_t)EPOLLOUT) receive(one);
}

static struct sockaddr_in loopback(uint16_t port) {
    struct in_addr host = {htonl(INADDR_LOOPBACK)};
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host};
}

// Time --------------------------------------------------------------------------------------------------------------

static void connect_one(void) {
    struct sockaddr_in address = loopback(order.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    add(CLIENT, fd, CONNECTING, EPOLLIN | EPOLLOUT);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
    order.begun++;
    order.next_ns = order.gap_ns ? order.next_ns + order.gap_ns : UINT64_MAX;  // without a gap, when it has its session
    if (order.begun == order.wanted) order.next_ns = UINT64_MAX;
}

// Send what is due. Tick t belongs to one place: even ticks are clients', odd ones the upstream's.
static uint64_t run_ticks(void) {
    uint64_t slots = 2ull * (order.wanted ? order.wanted : 1), now = now_ns();
    if (ticks_from_ns + next_tick * PERIOD_NS / slots + PERIOD_NS < now)  // a whole period late: these are not sent
        next_tick = (now - ticks_from_ns) * slots / PERIOD_NS;
    for (; ticks_from_ns + next_tick * PERIOD_NS / slots <= now; next_tick++) {
        uint64_t slot = next_tick % slots;
        struct connection *one = sides[slot & 1][slot / 2];
        if (!one || one->stage != TALKING) continue;
        if (one->side == CLIENT) send_audio(one);
        else continue_response(one);
    }
    return order.wanted && order.is_talking ? ticks_from_ns + next_tick * PERIOD_NS / slots : now + PERIOD_NS;
}

// Commands ----------------------------------------------------------------------------------------------------------

static void obey(const char *line) {
    char mode[8], path[300];
    unsigned count, port, gap_us;
    if (sscanf(line, "open %u %u %299s %7s %u", &count, &port, path, mode, &gap_us) == 5 && count <= CLIENTS_LIMIT) {
        order = (struct order){.wanted = count, .port = (uint16_t)port, .gap_ns = gap_us * 1000ull};
        order.next_ns = now_ns();
        order.is_talking = strcmp(mode, "talk") == 0;
        strcpy(order.path, path);
        connected = 0, ticks_from_ns = now_ns(), next_tick = 0, is_closing = 0;
        counters[LOST] = counters[LATE] = counters[FLOODED_BYTES] = 0;
        puts("ok");
    } else if (!strncmp(line, "close", 5)) {
        is_closing = 1;
        order.next_ns = UINT64_MAX;
        for (unsigned place = 0; place < CLIENTS_LIMIT; place++)
            if (sides[CLIENT][place]) drop(sides[CLIENT][place]);
        owes_answer = 1;
    } else if (!strncmp(line, "reset", 5)) {
        memset(latencies, 0, sizeof latencies);
        puts("ok");
    } else if (!strncmp(line, "report", 6)) {
        print_report();
    } else {
        puts("unknown command");
    }
    fflush(stdout);
}

static void read_commands(void) {
    static char lines[2000];
    static size_t have;
    ssize_t got = read(0, lines + have, sizeof lines - 1 - have);
    if (got <= 0) exit(0);
    lines[have += (size_t)got] = 0;
    for (char *end; (end = strchr(lines, '\n')); have = strlen(lines)) {
        *end = 0;
        obey(lines);
        memmove(lines, end + 1, have - (size_t)(end - lines));
    }
}

int main(int count, char **words) {
    static struct connection control, welcome;
    struct sockaddr_in address = loopback(0);
    struct epoll_event ready[BATCH];
    socklen_t size = sizeof address;
    int file = count == 3 ? open(words[1], O_RDWR | O_CREAT, 0600) : -1;
    if (file < 0 || ftruncate(file, COUNTERS * sizeof *counters)) fail("counters file");
    key = words[2];
    counters = mmap(NULL, COUNTERS * sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    for (int i = 0; i < AUDIO_CHARACTERS; i++) audio[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[rand() & 31];
    poller = epoll_create1(0);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    welcome.fd = listener;
    watch(EPOLL_CTL_ADD, &control, EPOLLIN);
    watch(EPOLL_CTL_ADD, &welcome, EPOLLIN);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    order.next_ns = UINT64_MAX;
    for (;;) {
        uint64_t due = run_ticks(), now;
        if (order.next_ns <= now_ns()) connect_one();
        due = order.next_ns < due ? order.next_ns : due;
        now = now_ns();
        struct timespec wait = {.tv_nsec = due > now ? (long)(due - now) : 0};
        int found = epoll_pwait2(poller, ready, BATCH, &wait, NULL);
        for (int i = 0; i < found; i++) {
            struct connection *one = ready[i].data.ptr;
            if (one == &control) read_commands();
            else if (one == &welcome) add(UPSTREAM, accept4(listener, NULL, NULL, SOCK_NONBLOCK), UPGRADING, EPOLLIN);
            else if (one->fd >= 0) serve(one, ready[i].events);
        }
        if (owes_answer && !counts[UPSTREAM]) {
            owes_answer = 0;
            puts("ok");
            fflush(stdout);
        }
    }
}
