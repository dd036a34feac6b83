/* POST /api/v1/meters/{id}/actions/{action}: the only requests that change anything. */
#include "api/handlers.h"

#include <errno.h>

#include "api/view.h"

static void answer_accepted(const struct meter *m, enum session_action action, struct reply *reply) {
        struct json_writer w;

        reply->status = 202;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "meter", meter_config(m)->id);
        json_put_string(&w, "action", session_action_names[action]);
        json_put_string(&w, "status", "accepted");
        json_object_end(&w);
}

static int explain(const struct meter *m, enum session_action action, int r, struct reply *reply) {
        const char *id = meter_config(m)->id, *name = session_action_names[action];

        if (r == -EOPNOTSUPP)
                return reply_problem(reply, 409, NULL, "meter %s (%s) has no action %s", id,
                                     meter_config(m)->protocol->name, name);
        if (r == -EBUSY)
                return reply_problem(reply, 409, NULL, "meter %s cannot do %s now: it is %s (%s)", id, name,
                                     meter_state_names[meter_state(m)], meter_session(m)->reason);
        return r;
}

int api_action(void *userdata, const struct request *request, struct reply *reply) {
        struct meter *m = view_find_meter(userdata, request, reply);
        enum session_action action = (enum session_action) request_choice(request, "action");
        int r;

        if (!m)
                return 0;
        r = meter_act(m, action);
        if (r < 0)
                return explain(m, action, r, reply);
        answer_accepted(m, action, reply);
        return view_finish(reply);
}
