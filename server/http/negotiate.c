#include "http/negotiate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *skip_blanks(const char *p) {
        return p + strspn(p, " \t");
}

/* RFC 9110, 12.4.2: 0, 1 or a fraction of up to three digits; -1 for anything else. Ends behind it. */
static int read_weight(const char **p) {
        const char *s = *p;
        int weight = 0, digit = 100;

        if (*s != '0' && *s != '1')
                return -1;
        weight = (*s++ - '0') * 1000;
        if (*s == '.')
                for (s++; *s >= '0' && *s <= '9'; s++, digit /= 10)
                        weight += (*s - '0') * digit;
        *p = s;
        return weight <= 1000 ? weight : -1;
}

/* Behind a coding's name: nothing, or ";q=" and its weight. -1: something else. */
static int read_parameters(const char *p, const char *end) {
        int weight;

        p = skip_blanks(p);
        if (p == end)
                return 1000;
        if (*p++ != ';')
                return -1;
        p = skip_blanks(p);
        if ((*p != 'q' && *p != 'Q') || p[1] != '=')
                return -1;
        p += 2;
        weight = read_weight(&p);
        return skip_blanks(p) == end ? weight : -1;
}

static int *weight_of(struct codings *c, const char *name, size_t len) {
        if ((len == 4 && strncasecmp(name, "gzip", len) == 0) || (len == 6 && strncasecmp(name, "x-gzip", len) == 0))
                return &c->gzip;
        if (len == 8 && strncasecmp(name, "identity", len) == 0)
                return &c->identity;
        return len == 1 && *name == '*' ? &c->other : NULL;
}

void codings_add(struct codings *c, const char *text) {
        while (*text) {
                const char *name = skip_blanks(text), *end = name + strcspn(name, ",");
                size_t len = strcspn(name, " \t;,");
                int *slot = weight_of(c, name, len), weight;

                if (slot) {
                        weight = read_parameters(name + len, end);
                        if (weight >= 0)
                                *slot = weight;
                }
                text = *end ? end + 1 : end;
        }
}

bool codings_prefer_gzip(const struct codings *c) {
        int gzip = c->gzip >= 0 ? c->gzip : c->other;

        /* "*" speaks of what is not named; the plain bytes then rank with all the others. */
        return gzip > 0 && gzip >= c->identity;
}

/* ---- media types ---- */

/* Behind a quoted text that begins here, or at the end of all when it does not end. */
static const char *skip_quoted(const char *p) {
        for (p++; *p && *p != '"'; p++)
                if (*p == '\\' && p[1])
                        p++;
        return *p ? p + 1 : p;
}

static const char *range_end(const char *p) {
        while (*p && *p != ',')
                p = *p == '"' ? skip_quoted(p) : p + 1;
        return p;
}

struct media_range {
        int exactness;   /* 0 for a wildcard of everything, to 3; -1: it does not mean the type */
        int weight;
};

/* One parameter of a range. False: it is none, or speaks of another version. */
static bool take_media_parameter(const char **p, const char *version, struct media_range *range) {
        const char *name = *p, *value;
        size_t name_len = strcspn(name, "=;, \t\""), len;

        if (name[name_len] != '=')
                return false;
        value = name + name_len + 1;
        *p = *value == '"' ? skip_quoted(value) : value + strcspn(value, ";, \t\"");
        len = (size_t) (*p - value);
        if (*value == '"' && len >= 2) {
                value++;
                len -= 2;
        }
        if (name_len == 1 && (*name == 'q' || *name == 'Q')) {
                const char *end = value;

                range->weight = read_weight(&end);
                return range->weight >= 0 && end == value + len;
        }
        if (name_len != strlen("version") || strncasecmp(name, "version", name_len) != 0)
                return true;
        if (range->exactness == 2)
                range->exactness = 3;
        return len == strlen(version) && memcmp(value, version, len) == 0;
}

static int exactness_of(const char *name, size_t len, const char *type) {
        size_t group = strcspn(type, "/") + 1;

        if (len == strlen(type) && strncasecmp(name, type, len) == 0)
                return 2;
        if (len == group + 1 && strncasecmp(name, type, group) == 0 && name[group] == '*')
                return 1;
        return len == 3 && memcmp(name, "*/*", 3) == 0 ? 0 : -1;
}

static struct media_range read_range(const char *p, const char *end, const char *type, const char *version) {
        size_t len = strcspn(p, " \t;,\"");
        struct media_range range = { exactness_of(p, len, type), 1000 }, none = { -1, -1 };

        if (range.exactness < 0)
                return none;
        for (p = skip_blanks(p + len); p < end; p = skip_blanks(p)) {
                if (*p++ != ';')
                        return none;
                p = skip_blanks(p);
                if (p < end && *p != ';' && !take_media_parameter(&p, version, &range))
                        return none;
        }
        return range;
}

int media_weight(const char *accept, const char *type, const char *version, bool named) {
        struct media_range best = { -1, -1 };
        int least = named ? 2 : 0;

        while (*accept) {
                const char *begin = skip_blanks(accept), *end = range_end(begin);
                struct media_range range = read_range(begin, end, type, version);

                if (range.exactness >= least &&
                    (range.exactness > best.exactness ||
                     (range.exactness == best.exactness && range.weight > best.weight)))
                        best = range;
                accept = *end ? end + 1 : end;
        }
        return best.weight;
}

/* ---- tags ---- */

void etag_format(uint64_t tag, char buf[ETAG_MAX]) {
        snprintf(buf, ETAG_MAX, "W/\"%016llx\"", (unsigned long long) tag);
}

bool etag_is_listed(const char *list, uint64_t tag) {
        char own[ETAG_MAX];
        const char *opaque = own + 2;  /* without its W/: "weak" compares what stands in quotes */
        size_t len;

        list = skip_blanks(list);
        if (*list == '*')
                return *skip_blanks(list + 1) == 0;
        etag_format(tag, own);
        len = strlen(opaque);
        while (*list) {
                const char *end;

                list += strspn(list, " \t,");
                if (list[0] == 'W' && list[1] == '/')
                        list += 2;
                if (*list != '"')
                        return false;
                end = strchr(list + 1, '"');
                if (!end)
                        return false;
                end++;
                if ((size_t) (end - list) == len && memcmp(list, opaque, len) == 0)
                        return true;
                list = end;
        }
        return false;
}
