/* A simulated Emporia Vue Utility Connect on a pseudo terminal, inside somebody's event loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "tools/mgm111.h"

#define VUE_SIMULATOR_ERROR_MAX 448

/* What the registers of a house of some years hold. */
#define VUE_SIMULATOR_IMPORT_WH 5858944
#define VUE_SIMULATOR_EXPORT_WH 7926904

struct vue_simulator;

struct vue_simulator_options {
        struct mgm111_options module;   /* its registers start as those of a house of some years */
        const char *link_path;          /* borrowed; a symbolic link to the port, which follows it; NULL: none */
        bool household;                 /* what a family's house draws and its roof gives over the year (household.h) */
        bool solar;                     /* a roof of panels: power changes its sign every few minutes */
        /* What goes over the line ("rx": received by the module, "tx") and what happens to the port ("port",
         * "unplugged", no bytes). May be NULL. */
        void (*event)(void *userdata, const char *what, const uint8_t *data, size_t len);
        void *userdata;
};

/* error holds VUE_SIMULATOR_ERROR_MAX bytes and is written on failure. */
int vue_simulator_new(sd_event *event, const struct vue_simulator_options *options, struct vue_simulator **ret,
                      char *error);
struct vue_simulator *vue_simulator_free(struct vue_simulator *s);
static inline void vue_simulator_freep(struct vue_simulator **s) { vue_simulator_free(*s); }

/* Path of the terminal, "" while it is unplugged. */
const char *vue_simulator_port(const struct vue_simulator *s);

/* For what can be told to the module at once; vue_simulator_changed afterwards. */
struct mgm111 *vue_simulator_module(struct vue_simulator *s);
void vue_simulator_changed(struct vue_simulator *s);

void vue_simulator_power_cycle(struct vue_simulator *s);
void vue_simulator_set_power(struct vue_simulator *s, int64_t power_mw);
void vue_simulator_follow_house(struct vue_simulator *s);                  /* no power is set any more */
void vue_simulator_unplug(struct vue_simulator *s, uint64_t duration_ms);  /* another terminal comes back */
