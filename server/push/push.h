/* Remote write: everything that the history has on the disk goes to the receivers of the configuration, each of them
 * at its own pace. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "config/config.h"
#include "history/events.h"
#include "push/receiver.h"

#define PUSH_ERROR_MAX 512

struct push;
struct push_set;

/* All borrowed. directory NULL: no positions are kept. save_ms: how often they are at most. */
int push_new(sd_event *event, struct history *h, struct events *events, const char *directory, uint32_t save_ms,
             struct push **ret);
/* Before the history and the configuration. */
struct push *push_free(struct push *p);
static inline void push_freep(struct push **p) { push_free(*p); }

/* A change in two steps, of which the first may fail with one line in error and changes nothing. */
int push_prepare(struct push *p, const struct config *config, struct push_set **ret, char error[PUSH_ERROR_MAX]);
/* Receivers that stay the same go on. The configuration has to stay until the next one was taken. */
void push_take(struct push *p, struct push_set *set);
struct push_set *push_set_free(struct push_set *set);
static inline void push_set_freep(struct push_set **set) { push_set_free(*set); }

/* The i-th receiver; NULL past the last. */
const char *push_facts(const struct push *p, unsigned i, struct receiver_facts *ret);

/* Whether the tokens can be read that this process may read. 0, or -errno with one line. */
int push_check_files(const struct config *config, char error[PUSH_ERROR_MAX]);
