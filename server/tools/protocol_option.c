#include "tools/protocol_option.h"

#include "base/buffer.h"
#include "base/log.h"

const struct protocol *protocol_option(const char *name) {
        const struct protocol *protocol = protocol_find(name);
        struct buffer names;

        if (protocol)
                return protocol;
        buffer_init(&names, 512);
        for (unsigned i = 0; protocols[i]; i++)
                buffer_printf(&names, "%s%s", i ? ", " : "", protocols[i]->name);
        log_error("--protocol: there is no protocol '%s'; expected %s", name, names.data);
        buffer_free(&names);
        return NULL;
}
