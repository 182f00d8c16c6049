// WebSocket frames and the upgrade (RFC 6455), as much as a load generator needs: whole text messages of up to 64 KiB
// in one frame each, no extensions.
#ifndef FRAMES_H
#define FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { OPCODE_TEXT = 1, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };
enum { HEADER_LIMIT = 14 };

static const uint8_t MASK[4] = {0x3a, 0xc5, 0x91, 0x6e};

static inline void apply_mask(uint8_t *data, size_t size, const uint8_t mask[4]) {
    for (size_t i = 0; i < size; i++) data[i] ^= mask[i & 3];
}

// Write a frame to `to` (payload + HEADER_LIMIT bytes must fit) and return its size.
static inline size_t write_frame(uint8_t *to, int opcode, const void *payload, size_t size, int is_masked) {
    size_t at = 2;
    to[0] = 0x80 | opcode;
    if (size < 126) {
        to[1] = (uint8_t)size;
    } else {  // no message is larger than 64 KiB
        to[1] = 126;
        to[2] = (uint8_t)(size >> 8);
        to[3] = (uint8_t)size;
        at = 4;
    }
    if (is_masked) {
        to[1] |= 0x80;
        memcpy(to + at, MASK, 4);
        at += 4;
    }
    memcpy(to + at, payload, size);
    if (is_masked) apply_mask(to + at, size, MASK);
    return at + size;
}

struct frame {
    int opcode;
    uint8_t *payload;  // unmasked in place
    size_t size;
};

// Take a frame off `data`; return the bytes it occupies, 0 if it is not whole yet.
static inline size_t read_frame(uint8_t *data, size_t have, struct frame *frame) {
    if (have < 2) return 0;
    size_t at = 2;
    uint64_t size = data[1] & 0x7f;
    if (size == 126) {
        if (have < 4) return 0;
        size = (uint64_t)data[2] << 8 | data[3];
        at = 4;
    } else if (size == 127) {
        if (have < 10) return 0;
        size = 0;
        for (int i = 2; i < 10; i++) size = size << 8 | data[i];
        at = 10;
    }
    int is_masked = data[1] & 0x80;
    if (is_masked) at += 4;
    if (have < at || have - at < size) return 0;
    if (is_masked) apply_mask(data + at, size, data + at - 4);
    *frame = (struct frame){data[0] & 0x0f, data + at, size};
    return at + size;
}

static inline uint32_t rotate(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

// SHA-1 (FIPS 180-4) of less than 120 bytes.
static inline void sha1(const uint8_t *text, size_t size, uint8_t digest[20]) {
    uint8_t blocks[128] = {0};
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t count = size + 9 > 64 ? 2 : 1;
    memcpy(blocks, text, size);
    blocks[size] = 0x80;
    for (int i = 0; i < 8; i++) blocks[count * 64 - 1 - i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
    for (size_t block = 0; block < count; block++) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 16; i++) {
            const uint8_t *p = blocks + block * 64 + i * 4;
            w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        }
        for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
            uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
            uint32_t next = rotate(a, 5) + f + e + k + w[i];
            e = d, d = c, c = rotate(b, 30), b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static inline void base64(const uint8_t *from, size_t size, char *to) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)from[i] << 16;
        if (i + 1 < size) three |= (uint32_t)from[i + 1] << 8;
        if (i + 2 < size) three |= from[i + 2];
        *to++ = digits[three >> 18];
        *to++ = digits[three >> 12 & 63];
        *to++ = i + 1 < size ? digits[three >> 6 & 63] : '=';
        *to++ = i + 2 < size ? digits[three & 63] : '=';
    }
    *to = 0;
}

// Write `Sec-WebSocket-Accept` for a client's key of `size` characters (24 in every valid request).
static inline void accept_key(const char *key, size_t size, char accept[29]) {
    char joined[100];
    uint8_t digest[20];
    int taken = (int)(size > 60 ? 60 : size);
    int length = snprintf(joined, sizeof joined, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taken, key);
    sha1((uint8_t *)joined, (size_t)length, digest);
    base64(digest, 20, accept);
}

#endif
