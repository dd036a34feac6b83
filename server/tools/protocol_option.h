/* The option --protocol, which several commands have. */
#pragma once

#include "protocols/protocol.h"

/* NULL when there is none of that name; that has been told then, with those that there are. */
const struct protocol *protocol_option(const char *name);
