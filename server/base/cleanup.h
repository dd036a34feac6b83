/* Ownership in one word: CLEANUP(fn) frees a local at the end of its scope, TAKE(p) hands it on instead. */
#pragma once

#include <stddef.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define TAKE(p) __extension__({ __auto_type take_ = (p); (p) = NULL; take_; })
#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
