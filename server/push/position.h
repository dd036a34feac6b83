/* Up to which row a receiver has got everything, in a small file beside the history. It is replaced as a whole, so a
 * power cut leaves the old one or the new one; with an older one rows are sent a second time, as they were. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POSITION_BYTES 32
#define POSITION_NAME "remote-write-%s.position"

/* "REMOTE-W", version 1, 0, the number, 0, CRC32C: all little-endian. */
void position_write(uint64_t number, uint8_t bytes[POSITION_BYTES]);
bool position_read(const uint8_t *bytes, size_t len, uint64_t *ret_number);

/* 0 with the number, -ENOENT when there is none, -EBADMSG when it is damaged, -errno. */
int position_load(const char *directory, const char *receiver, uint64_t *ret_number);
/* On the disk when it returns. -errno. */
int position_save(const char *directory, const char *receiver, uint64_t number);
