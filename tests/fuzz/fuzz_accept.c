/* What somebody accepts of suggestions: rows that are read are such as a profile can have, and a reason is told for
 * whatever is not read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "protocols/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_row(const struct accepted_row *a) {
        const struct profile_datapoint *d = &a->row;

        if (d->id == 0 || d->scale_num <= 0 || d->scale_den <= 0 || d->layout >= LAYOUT_COUNT)
                abort();
        if (d->quantity != Q_NONE && (d->quantity >= Q_COUNT || d->layout != LAYOUT_NONE || d->name[0]))
                abort();
        if (!memchr(a->channel, 0, sizeof a->channel) || !memchr(d->name, 0, sizeof d->name))
                abort();
        /* Each text is a piece of its own. */
        if (strchr(a->text, ',') || strtoul(a->text, NULL, 10) != d->id)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct accepted accepted;
        struct buffer error;
        char *text;
        int r;

        if (size > ACCEPT_TEXT_MAX)
                return 0;
        text = strndup((const char *) data, size);
        if (!text)
                abort();
        buffer_init(&error, 4096);
        r = accept_parse(text, &accepted, &error);
        if ((r < 0) != (error.len > 0) || (r == 0 && accepted.count == 0))
                abort();
        for (unsigned i = 0; r == 0 && i < accepted.count; i++)
                check_row(&accepted.rows[i]);
        buffer_free(&error);
        free(text);
        return 0;
}
