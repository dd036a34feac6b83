/* What the parts of the profile reader share. */
#pragma once

#include "config/schema.h"
#include "protocols/profile.h"

/* The fields of a profile; their base is a struct profile with room for PROFILE_DATAPOINTS_MAX rows, which is the
 * walk's user as well. */
extern const struct schema_row profile_fields[];

#define PROFILE_DATAPOINTS_MAX 255  /* each id once */

/* A scale is a decimal number of so many places, above 0. */
#define PROFILE_SCALE_PLACES 12
#define PROFILE_SCALE_ONE    INT64_C(1000000000000)  /* 10^places */
#define PROFILE_SCALE_MAX    INT64_C(1000000)

/* The rows below "datapoints". */
extern const struct schema_row profile_datapoint_fields[];
int profile_read_datapoints(struct schema_walk *w, const yaml_node_t *node, void *target);

/* Whether a product key may stand in a profile: 8 or 16 letters and digits. Meters tell others, too. */
bool profile_key_fits(const char *key);

int profile_read_evidence(struct schema_walk *w, const yaml_node_t *node, unsigned *ret);
/* A layout of three phases brings the first three channels: they are made where there are none. */
void profile_name_phases(struct profile *p, uint8_t layout);
/* Index of a named channel, -ENOENT when the profile has none of that name. */
int profile_find_channel(const struct profile *p, const char *name);
