/* What the kernel says about this process, for the process_* metrics. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process_info {
        int64_t cpu_us;               /* user and system time */
        bool has_memory;              /* the two below are known: /proc is there */
        uint64_t resident_bytes, virtual_bytes;
        bool has_fds;
        uint64_t open_fds;
        bool has_max_fds;             /* false when there is no limit */
        uint64_t max_fds;
};

/* Allocates nothing. */
struct process_info process_info(void);
