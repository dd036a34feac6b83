/* The speed at which each meter last answered, in one small file, so that a restarted gateway begins with it. */
#pragma once

#include <stdint.h>

struct speed_memory;

/* directory: where the file "speeds" lies; NULL: nothing is kept. A file that cannot be read is no memory. */
int speed_memory_new(const char *directory, struct speed_memory **ret);
struct speed_memory *speed_memory_free(struct speed_memory *m);

/* 0 when the meter is not known. */
uint32_t speed_memory_get(const struct speed_memory *m, const char *meter_id);

/* Writes the file anew when this is a change. Failure is logged once: the memory only saves seconds. */
void speed_memory_put(struct speed_memory *m, const char *meter_id, uint32_t baud);
