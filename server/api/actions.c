/* POST /api/v1/meters/{id}/actions/...: the only requests that change anything. */
#include "api/handlers.h"

#include <errno.h>

#include "api/view.h"
#include "api/write_body.h"

static void answer_accepted(const struct meter *m, const struct action_request *request, struct reply *reply) {
        struct json_writer w;

        reply->status = 202;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "meter", meter_config(m)->id);
        json_put_string(&w, "action", session_action_names[request->action]);
        json_put_string(&w, "status", "accepted");
        if (request->action == ACTION_SET_DATAPOINT) {
                json_put_uint(&w, "dp", request->write.id);
                view_put_write_value(&w, &request->write);
        }
        json_object_end(&w);
}

static int refuse_too_often(const struct meter *m, const struct action_refusal *refusal, struct reply *reply) {
        uint64_t wait_s = (refusal->wait_ms + 999) / 1000;

        reply_problem(reply, 429, NULL, "datapoints of meter %s were written %d times already: relays wear out; try "
                      "again in %u s", meter_config(m)->id, WRITES_AT_ONCE, (unsigned) wait_s);
        reply->retry_after_s = (unsigned) wait_s;
        return 0;
}

static int explain(const struct meter *m, enum session_action action, int r, const struct action_refusal *refusal,
                   struct reply *reply) {
        const char *id = meter_config(m)->id, *name = session_action_names[action];

        switch (r) {
        case -EOPNOTSUPP:
                return reply_problem(reply, 409, NULL, "meter %s (%s%s) has no action %s", id,
                                     meter_config(m)->protocol->name,
                                     meter_config(m)->role == ROLE_LISTEN ? ", only listened to" : "", name);
        case -EACCES:
                return reply_problem(reply, 409, "dp", "meter %s: %s", id, refusal->text);
        case -EINVAL:
                return reply_problem(reply, 400, refusal->key, "meter %s: %s", id, refusal->text);
        case -EAGAIN:
                return refuse_too_often(m, refusal, reply);
        case -EBUSY:
                return reply_problem(reply, 409, NULL, "meter %s cannot do %s now: it is %s (%s)", id, name,
                                     meter_state_names[meter_state(m)],
                                     refusal->text[0] ? refusal->text : meter_reason(m));
        default:
                return r;
        }
}

static int act(struct meter *m, const struct action_request *request, struct reply *reply) {
        struct action_refusal refusal;
        int r = meter_act(m, request, &refusal);

        if (r < 0)
                return explain(m, request->action, r, &refusal, reply);
        answer_accepted(m, request, reply);
        return view_finish(reply);
}

int api_action(void *userdata, const struct request *request, struct reply *reply) {
        struct action_request what = { .action = (enum session_action) request_choice(request, "action") };
        struct meter *m = view_find_meter(userdata, request, reply);

        if (!m)
                return 0;
        return act(m, &what, reply);
}

int api_set_datapoint(void *userdata, const struct request *request, struct reply *reply) {
        struct action_request what = { .action = ACTION_SET_DATAPOINT };
        struct meter *m = view_find_meter(userdata, request, reply);
        struct write_body_error error;

        if (!m)
                return 0;
        if (write_body_read(request->body, request->body_len, &what.write, &error) < 0)
                return reply_problem(reply, 400, error.key, "%s", error.text);
        return act(m, &what, reply);
}
