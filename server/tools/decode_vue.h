/* One frame of an Emporia Vue Utility Connect as one NDJSON line. */
#pragma once

#include "tools/decode_part.h"

extern const struct decode_part decode_vue;
