/* Names of the metering cluster's attributes and of ZCL's types, for people. */
#pragma once

#include "protocols/protocol.h"

/* struct protocol's attribute function: the datapoint's id is an attribute's, its type a ZCL type. */
void vue_attribute_info(const struct datapoint *d, struct attribute_info *ret);
