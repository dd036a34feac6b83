/* The radio module of an Emporia Vue Utility Connect, host side. */
#pragma once

#include "protocols/protocol.h"

extern const struct protocol vue_protocol;
