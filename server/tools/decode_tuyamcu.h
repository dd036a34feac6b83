/* One TuyaMCU frame as one NDJSON line. A recording does not tell which command set its device uses, nor always
 * the direction: the shape of a frame decides what it holds. */
#pragma once

#include "tools/decode_part.h"

extern const struct decode_part decode_tuyamcu;
