/* Integers to bytes: blocks of up to 128 values, each coded by the cheapest of four predictions (the smallest value,
 * a line, the value before, that one and the smallest rise), in the step that all share, bit-packed, with the few
 * large ones patched in (PFOR). Lossless for every int64_t. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CODEC_ID 1             /* in every chunk; an unknown one is not read */
#define CODEC_BLOCK 128        /* values in a block */
#define CODEC_BLOCK_MAX 1035   /* no block is longer: 128 values of 64 bits and what stands before them */

/* Codes n values (1..CODEC_BLOCK). Returns the bytes written, 0 when they do not fit into cap. */
size_t codec_encode(const int64_t *values, size_t n, uint8_t *out, size_t cap);

/* A block of n values from least to most is never longer. */
size_t codec_bound(int64_t least, int64_t most, size_t n);

/* The reverse: n as it was. Returns the bytes consumed, -EBADMSG when in does not hold such a block. Reads nothing
 * outside in[0..len); ret may be scribbled on in failure. */
ssize_t codec_decode(const uint8_t *in, size_t len, size_t n, int64_t *ret);
