/* Install codes: a 6-byte Smart Energy code and its CRC. Whoever has one and the MAC can be provisioned in this
 * device's place, so they are secrets. */
#pragma once

#include <stdbool.h>

#include "protocols/bytes.h"

/* True when the last two bytes, low byte first, are the CRC of the six before them. */
bool vue_install_code_is_intact(struct span code);
