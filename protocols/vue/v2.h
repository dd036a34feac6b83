/* Readings of older modules: a dump of 152 bytes, big-endian but for one word. */
#pragma once

#include "protocols/bytes.h"
#include "protocols/vue/reading.h"

enum { VUE_V2_SIZE = 152 };

/* Fills in layout, the V2 part, and of factors and values what was sent. payload has VUE_V2_SIZE bytes. */
void vue_v2_decode(struct span payload, struct vue_reading *ret);
