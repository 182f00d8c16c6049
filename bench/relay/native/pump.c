// A byte pump: the least that a relay costs. One recv and one send per readable event, nothing is looked at.
// Usage: pump UPSTREAM_PORT; prints the port that it listens on (both on 127.0.0.1).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 128, BUFFER_BYTES = 64 * 1024, DESCRIPTORS = 65536 };

static int peers[DESCRIPTORS];  // the other side of each descriptor, 0 if it has none
static uint8_t *rests[DESCRIPTORS];  // what a side did not take yet; its peer is not read meanwhile
static size_t rest_sizes[DESCRIPTORS];
static int poller;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(int port) {
    struct in_addr host = {htonl(INADDR_LOOPBACK)};
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = host};
}

static void watch(int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(poller, operation, fd, &event)) fail("epoll_ctl");
}

// A side is read while its peer takes everything, and written while it has not taken everything.
static void watch_pair(int fd) {
    int peer = peers[fd];
    watch(EPOLL_CTL_MOD, fd, (rests[peer] ? 0 : EPOLLIN) | (rests[fd] ? EPOLLOUT : 0));
    watch(EPOLL_CTL_MOD, peer, (rests[fd] ? 0 : EPOLLIN) | (rests[peer] ? EPOLLOUT : 0));
}

static void drop(int fd) {
    int both[2] = {fd, peers[fd]};
    for (int i = 0; i < 2; i++) {
        if (!both[i]) continue;
        free(rests[both[i]]);
        rests[both[i]] = NULL;
        peers[both[i]] = 0;
        close(both[i]);
    }
}

static void take_client(int listener, int upstream_port) {
    struct sockaddr_in address = loopback(upstream_port);
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK), upstream = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (client < 0 || upstream < 0 || client >= DESCRIPTORS || upstream >= DESCRIPTORS) fail("accept");
    if (connect(upstream, (struct sockaddr *)&address, sizeof address)) {  // at once on loopback
        close(client);
        close(upstream);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(upstream, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    peers[client] = upstream;
    peers[upstream] = client;
    watch(EPOLL_CTL_ADD, client, EPOLLIN);
    watch(EPOLL_CTL_ADD, upstream, EPOLLIN);
}

static void forward(int fd) {
    static uint8_t buffer[BUFFER_BYTES];
    int peer = peers[fd];
    if (rests[peer]) return drop(fd);  // it is not watched for input, so this is a hang-up
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(fd);
    ssize_t put = send(peer, buffer, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN) return drop(fd);
    if (put < 0) put = 0;
    if (put == got) return;
    rest_sizes[peer] = (size_t)(got - put);
    rests[peer] = malloc(rest_sizes[peer]);
    for (ssize_t i = put; i < got; i++) rests[peer][i - put] = buffer[i];
    watch_pair(fd);
}

static void flush(int fd) {
    ssize_t put = send(fd, rests[fd], rest_sizes[fd], MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) return drop(fd);
    rest_sizes[fd] -= (size_t)put;
    for (size_t i = 0; i < rest_sizes[fd]; i++) rests[fd][i] = rests[fd][i + (size_t)put];
    if (rest_sizes[fd]) return;
    free(rests[fd]);
    rests[fd] = NULL;
    watch_pair(fd);
}

int main(int count, char **words) {
    if (count != 2) return 2;
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    struct epoll_event ready[BATCH];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    poller = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int found = epoll_wait(poller, ready, BATCH, -1);
        for (int i = 0; i < found; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                take_client(listener, atoi(words[1]));
                continue;
            }
            if (ready[i].events & EPOLLOUT && rests[fd]) flush(fd);
            if (ready[i].events & ~(uint32_t)EPOLLOUT && peers[fd]) forward(fd);
        }
    }
}
