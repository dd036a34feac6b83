#include "capture/capture_names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/time_text.h"

static const char pattern[] = "-00000000T000000.000Z";
#define STAMP_LEN (sizeof pattern - 1)
#define TRIM_MAX  256  /* deleted in one go: on a slow card some 10 ms, which a port's buffer outlasts */

static void close_folder(DIR **d) {
        if (*d)
                closedir(*d);
}

int capture_names_of(const char *path, struct capture_names *ret) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
        size_t n_folder = slash ? (size_t) (slash - path) : 0;

        if (n_folder >= sizeof ret->folder || strlen(name) + STAMP_LEN > NAME_MAX)
                return -ENAMETOOLONG;
        if (name[0] == '\0')
                return -EISDIR;
        if (!dot || dot == name)
                dot = name + strlen(name);
        snprintf(ret->folder, sizeof ret->folder, "%.*s", (int) n_folder, path);
        if (n_folder == 0)
                snprintf(ret->folder, sizeof ret->folder, "%s", slash ? "/" : ".");
        snprintf(ret->stem, sizeof ret->stem, "%.*s", (int) (dot - name), name);
        snprintf(ret->ending, sizeof ret->ending, "%s", dot);
        return 0;
}

/* Where the stamp begins in a name that is one of ours; NULL: it is not. */
static const char *stamp_of(const struct capture_names *n, const char *name) {
        size_t n_stem = strlen(n->stem);

        if (strlen(name) != n_stem + STAMP_LEN + strlen(n->ending) || strncmp(name, n->stem, n_stem) != 0 ||
            strcmp(name + n_stem + STAMP_LEN, n->ending) != 0)
                return NULL;
        for (size_t i = 0; i < STAMP_LEN; i++)
                if (pattern[i] == '0' ? !isdigit((unsigned char) name[n_stem + i]) : name[n_stem + i] != pattern[i])
                        return NULL;
        return name + n_stem;
}

/* Shows the stamps of all of them, in any order; returns how many there are. */
static int look(const struct capture_names *n, void (*see)(void *userdata, const char *stamp), void *userdata) {
        CLEANUP(close_folder) DIR *folder = opendir(n->folder);
        const struct dirent *entry;
        int count = 0;

        if (!folder)
                return -errno;
        while (errno = 0, (entry = readdir(folder))) {
                const char *stamp = stamp_of(n, entry->d_name);

                if (!stamp)
                        continue;
                see(userdata, stamp);
                count++;
        }
        return errno > 0 ? -errno : count;
}

/* userdata has the last one so far (STAMP_LEN + 1 bytes); "": none. */
static void see_last(void *userdata, const char *stamp) {
        char *last = userdata;

        if (strncmp(stamp, last, STAMP_LEN) > 0)
                snprintf(last, STAMP_LEN + 1, "%.*s", (int) STAMP_LEN, stamp);
}

struct oldest {
        unsigned count;
        char stamps[TRIM_MAX][STAMP_LEN];  /* oldest first */
};

static void see_oldest(void *userdata, const char *stamp) {
        struct oldest *o = userdata;
        unsigned at = o->count;

        while (at > 0 && memcmp(stamp, o->stamps[at - 1], STAMP_LEN) < 0)
                at--;
        if (at == TRIM_MAX)
                return;
        o->count += o->count < TRIM_MAX;
        memmove(o->stamps + at + 1, o->stamps + at, (o->count - at - 1) * STAMP_LEN);
        memcpy(o->stamps[at], stamp, STAMP_LEN);
}

/* "2026-11-21T10:00:00.123Z" without what separates its date and its time. */
static void put_stamp(int64_t utc_ms, char *ret) {
        char text[CLOCK_RFC3339_MAX];

        clock_format_rfc3339(utc_ms, text);
        snprintf(ret, STAMP_LEN + 1, "-%.4s%.2s%.5s%.2s%.7s", text, text + 5, text + 8, text + 14, text + 17);
}

static int64_t read_stamp(const char *stamp) {
        char text[CLOCK_RFC3339_MAX];
        unsigned resolution_ms;
        int64_t utc_ms = 0;

        snprintf(text, sizeof text, "%.4s-%.2s-%.5s:%.2s:%.7s", stamp + 1, stamp + 5, stamp + 7, stamp + 12,
                 stamp + 14);
        return time_text_rfc3339(text, &utc_ms, &resolution_ms) > 0 ? utc_ms : 0;
}

static int put_path(const struct capture_names *n, const char *stamp, char *ret) {
        int len = snprintf(ret, PATH_MAX, "%s/%s%.*s%s", n->folder, n->stem, (int) STAMP_LEN, stamp, n->ending);

        return len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int capture_names_next(const struct capture_names *n, int64_t utc_ms, char *ret) {
        char stamp[STAMP_LEN + 1], last[STAMP_LEN + 1] = "";
        int r = look(n, see_last, last);

        if (r < 0)
                return r;
        put_stamp(utc_ms, stamp);
        /* A clock that was set back does not mix up the order. */
        if (r > 0 && strcmp(stamp, last) <= 0)
                put_stamp(read_stamp(last) + 1, stamp);
        return put_path(n, stamp, ret);
}

int capture_names_trim(const struct capture_names *n, unsigned keep) {
        struct oldest oldest = { .count = 0 };
        int count = look(n, see_oldest, &oldest);
        unsigned surplus = count > 0 && (unsigned) count > keep ? (unsigned) count - keep : 0;

        for (unsigned i = 0; i < surplus && i < oldest.count; i++) {
                char path[PATH_MAX];
                int r = put_path(n, oldest.stamps[i], path);

                if (r >= 0 && unlink(path) < 0 && errno != ENOENT)
                        r = -errno;
                if (r < 0)
                        return r;
        }
        return count < 0 ? count : surplus > TRIM_MAX;
}
