#include "protocols/protocol.h"

#include <string.h>

#include "protocols/tuyamcu/tuyamcu.h"
#include "protocols/vue/vue.h"

const struct protocol *const protocols[] = { &tuyamcu_protocol, &vue_protocol, NULL };

const char *const meter_state_names[METER_STATE_COUNT] = {
        [METER_CONNECTING] = "connecting",
        [METER_ONLINE] = "online",
        [METER_STALE] = "stale",
        [METER_OFFLINE] = "offline",
        [METER_NO_MODULE] = "no_module",
        [METER_NOT_PROVISIONED] = "not_provisioned",
        [METER_SEARCHING] = "searching",
};

const char *const session_action_names[ACTION_COUNT] = {
        [ACTION_QUERY] = "query",
        [ACTION_REJOIN] = "rejoin",
        [ACTION_SET_DATAPOINT] = "set-datapoint",
};

const char *const value_form_keys[VALUE_FORM_COUNT] = {
        [VALUE_NUMBER] = "raw",
        [VALUE_FLAG] = "raw",
        [VALUE_TEXT] = "text",
        [VALUE_BYTES] = "hex",
};

const char *const write_status_names[WRITE_STATUS_COUNT] = {
        [WRITE_NONE] = "",
        [WRITE_PENDING] = "pending",
        [WRITE_CONFIRMED] = "confirmed",
        [WRITE_UNCONFIRMED] = "not_confirmed",
};

const struct protocol *protocol_find(const char *name) {
        for (unsigned i = 0; protocols[i]; i++)
                if (strcmp(protocols[i]->name, name) == 0)
                        return protocols[i];
        return NULL;
}
