/* What the two halves of the profile reader share. */
#pragma once

#include "config/schema.h"
#include "protocols/profile.h"

/* The fields of a profile; their base is a struct profile with room for PROFILE_DATAPOINTS_MAX rows. */
extern const struct schema_row profile_fields[];

#define PROFILE_DATAPOINTS_MAX 255  /* each id once */
