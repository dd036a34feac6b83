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
};

const struct protocol *protocol_find(const char *name) {
        for (unsigned i = 0; protocols[i]; i++)
                if (strcmp(protocols[i]->name, name) == 0)
                        return protocols[i];
        return NULL;
}
