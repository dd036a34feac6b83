#include "meters/speed_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"

struct entry {
        char meter_id[METER_ID_MAX + 1];
        uint32_t baud;
};

struct speed_memory {
        char *path, *path_new;     /* NULL: nothing is kept */
        bool complained;
        unsigned count;
        struct entry entries[METERS_MAX];
};

static struct entry *find(struct speed_memory *m, const char *meter_id) {
        for (unsigned i = 0; i < m->count; i++)
                if (strcmp(m->entries[i].meter_id, meter_id) == 0)
                        return &m->entries[i];
        return NULL;
}

/* Lines "ID SPEED"; anything else in the file is passed over. */
static void load(struct speed_memory *m) {
        struct entry e = { .baud = 0 };
        char line[128];
        FILE *f = fopen(m->path, "re");

        if (!f)
                return;
        while (m->count < METERS_MAX && fgets(line, sizeof line, f))
                if (sscanf(line, "%32[a-z0-9-] %7u", e.meter_id, &e.baud) == 2 && e.baud > 0 && !find(m, e.meter_id))
                        m->entries[m->count++] = e;
        fclose(f);
}

int speed_memory_new(const char *directory, struct speed_memory **ret) {
        struct speed_memory *m = calloc(1, sizeof *m);

        if (!m)
                return -ENOMEM;
        if (directory && (asprintf(&m->path, "%s/speeds", directory) < 0 ||
                          asprintf(&m->path_new, "%s/speeds.new", directory) < 0)) {
                speed_memory_free(m);
                return -ENOMEM;
        }
        if (m->path)
                load(m);
        *ret = m;
        return 0;
}

struct speed_memory *speed_memory_free(struct speed_memory *m) {
        if (!m)
                return NULL;
        free(m->path);
        free(m->path_new);
        free(m);
        return NULL;
}

uint32_t speed_memory_get(const struct speed_memory *m, const char *meter_id) {
        const struct entry *e = find((struct speed_memory *) m, meter_id);

        return e ? e->baud : 0;
}

static int write_entries(const struct speed_memory *m, FILE *f) {
        for (unsigned i = 0; i < m->count; i++)
                if (fprintf(f, "%s %u\n", m->entries[i].meter_id, (unsigned) m->entries[i].baud) < 0)
                        return -EIO;
        return fflush(f) == 0 && fsync(fileno(f)) == 0 ? 0 : -errno;
}

/* The old file stays whole until the new one is. */
static int save(const struct speed_memory *m) {
        FILE *f = fopen(m->path_new, "we");
        int r;

        if (!f)
                return -errno;
        r = write_entries(m, f);
        if (fclose(f) != 0 && r == 0)
                r = -errno;
        if (r == 0 && rename(m->path_new, m->path) < 0)
                r = -errno;
        return r;
}

void speed_memory_put(struct speed_memory *m, const char *meter_id, uint32_t baud) {
        struct entry *e = find(m, meter_id);
        int r;

        if (e && e->baud == baud)
                return;
        if (!e) {
                /* Full of meters that may be long gone: the oldest makes room. */
                if (m->count == METERS_MAX)
                        memmove(m->entries, m->entries + 1, --m->count * sizeof *e);
                e = &m->entries[m->count++];
                *e = (struct entry) { .baud = 0 };
                strncpy(e->meter_id, meter_id, METER_ID_MAX);
        }
        e->baud = baud;
        r = m->path ? save(m) : 0;
        if (r < 0 && !m->complained) {
                log_notice("%s cannot be written: %s; speeds are searched anew after a restart", m->path,
                           strerror(-r));
                m->complained = true;
        }
}
