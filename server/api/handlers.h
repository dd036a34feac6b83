/* Every handler that api_routes names. */
#pragma once

#include "api/app.h"

int api_service(void *userdata, const struct request *request, struct reply *reply);
int api_openapi(void *userdata, const struct request *request, struct reply *reply);
int api_gateway(void *userdata, const struct request *request, struct reply *reply);
int api_healthz(void *userdata, const struct request *request, struct reply *reply);
int api_meters(void *userdata, const struct request *request, struct reply *reply);
int api_meter(void *userdata, const struct request *request, struct reply *reply);
int api_now(void *userdata, const struct request *request, struct reply *reply);
int api_now_series(void *userdata, const struct request *request, struct reply *reply);
int api_datapoints(void *userdata, const struct request *request, struct reply *reply);
int api_diagnostics(void *userdata, const struct request *request, struct reply *reply);
int api_action(void *userdata, const struct request *request, struct reply *reply);
int api_set_datapoint(void *userdata, const struct request *request, struct reply *reply);
int api_profile(void *userdata, const struct request *request, struct reply *reply);
int api_frames(void *userdata, const struct request *request, struct reply *reply);
int api_metrics(void *userdata, const struct request *request, struct reply *reply);
int api_home_assistant(void *userdata, const struct request *request, struct reply *reply);
int api_history(void *userdata, const struct request *request, struct reply *reply);
int api_energy(void *userdata, const struct request *request, struct reply *reply);
int api_samples(void *userdata, const struct request *request, struct reply *reply);
int api_stream(void *userdata, const struct request *request, struct reply *reply);
int api_events(void *userdata, const struct request *request, struct reply *reply);

/* What they take. */
extern const struct parameter api_datapoints_parameters[];
extern const struct parameter api_diagnostics_parameters[];
extern const struct parameter api_energy_parameters[];
extern const struct parameter api_events_parameters[];
extern const struct parameter api_frames_parameters[];
extern const struct parameter api_history_parameters[];
extern const struct parameter api_home_assistant_parameters[];
extern const struct parameter api_profile_parameters[];
extern const struct parameter api_samples_parameters[];
extern const struct parameter api_stream_parameters[];
