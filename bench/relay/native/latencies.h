// Times of messages and connects, kept as a histogram with buckets of equal ratio.
#ifndef LATENCIES_H
#define LATENCIES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { BUCKETS = 1024, CONNECTS_LIMIT = 2000 };
static const double BUCKET_RATIO = 1.02;

static uint64_t latencies[2][BUCKETS];  // of messages from clients, from the upstream
static double connects_ms[CONNECTS_LIMIT];
static unsigned connected;

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline void note_latency(int from, uint64_t sent_ns) {
    double latency_us = (double)(now_ns() - sent_ns) / 1e3;
    int bucket = latency_us <= 1 ? 0 : (int)(log(latency_us) / log(BUCKET_RATIO));
    latencies[from][bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static inline void note_connect(uint64_t started_ns) {
    if (connected < CONNECTS_LIMIT) connects_ms[connected++] = (double)(now_ns() - started_ns) / 1e6;
}

// Print {"bucket_ratio": 1.02, "connects_ms": [...], "up": {"BUCKET": COUNT, ...}, "down": {...}}.
static inline void print_report(void) {
    static const char *const names[2] = {"up", "down"};
    printf("{\"bucket_ratio\": %g, \"connects_ms\": [", BUCKET_RATIO);
    for (unsigned i = 0; i < connected; i++) printf("%s%.3f", i ? ", " : "", connects_ms[i]);
    printf("]");
    for (int from = 0; from < 2; from++) {
        const char *separator = "";
        printf(", \"%s\": {", names[from]);
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            if (!latencies[from][bucket]) continue;
            printf("%s\"%d\": %llu", separator, bucket, (unsigned long long)latencies[from][bucket]);
            separator = ", ";
        }
        printf("}");
    }
    printf("}\n");
}

#endif
