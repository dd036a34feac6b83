/* The options that name a device profile, which several commands have. */
#pragma once

#include "protocols/protocol.h"

/* Loads the profile of that name or file, which has to be one of the protocol's; owned by the caller. Returns 0, or
 * the exit status after telling what is wrong; option is its name in messages, such as "--profile". */
int profile_option(const char *option, const char *name, const struct protocol *protocol, struct profile **ret);
