/* CRC-32C (Castagnoli), the checksum of everything in the history file. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* 0xE3069283 for "123456789". */
uint32_t crc32c(const uint8_t *data, size_t len);
