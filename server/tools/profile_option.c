#include "tools/profile_option.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "config/profile_file.h"

static int unknown_profile(const char *option, const char *name) {
        struct buffer names;
        const char *known;

        buffer_init(&names, 900);
        for (unsigned i = 0; (known = profile_builtin_name(i)); i++)
                buffer_printf(&names, "%s%s", i ? ", " : "", known);
        log_error("%s: there is no profile '%.64s'; expected a file or one of %s", option, name,
                  names.data ? names.data : "none");
        buffer_free(&names);
        return 2;
}

int profile_option(const char *option, const char *name, const struct protocol *protocol, struct profile **ret) {
        CLEANUP(profile_freep) struct profile *profile = NULL;
        struct config_error error;
        int r;

        r = profile_load(name, &profile, &error);
        if (r == -ENOENT && !strchr(name, '/'))
                return unknown_profile(option, name);
        if (r < 0) {
                log_error("%s", error.text);
                return 2;
        }
        if (strcmp(profile->protocol, protocol->name) != 0) {
                log_error("%s: %s is for protocol %s, not for %s", option, name, profile->protocol, protocol->name);
                return 2;
        }
        *ret = TAKE(profile);
        return 0;
}
