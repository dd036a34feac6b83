/* A script in, what a person gets of it out. Fails the test where it is no profile that serve would take. */
#pragma once

#include "config/profile_file.h"

#define BAUD "tuyaMcu_setBaudRate 9600\n"  /* line 1; without it there is a note */

/* The rows of the profile with their remarks, and the notes, as a person sees them: 16 KiB are enough for each. *ret
 * is as it was where there is nothing to import. */
void import(const char *script, char *rows, char *notes, struct profile **ret);
void check(const char *script, const char *rows, const char *notes);
