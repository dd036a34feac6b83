/* The TuyaMCU protocol, module side (ordinary command set). */
#pragma once

#include "protocols/protocol.h"

extern const struct protocol tuyamcu_protocol;

/* Copies the text of key from a product answer (JSON in any order, possibly damaged) into buf, non-printable and
 * non-ASCII characters as '?'. Empty when it is missing. Never fails: the answer is only ever a hint. */
void tuya_product_field(const uint8_t *json, size_t len, char key, char *buf, size_t size);
