#include "api/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static bool read_memory(uint64_t *ret_virtual, uint64_t *ret_resident) {
        unsigned long long pages_virtual, pages_resident;
        long page = sysconf(_SC_PAGESIZE);
        char text[128];
        ssize_t n;
        int fd;

        fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, text, sizeof text - 1);
        close(fd);
        if (n <= 0 || page <= 0)
                return false;
        text[n] = 0;
        if (sscanf(text, "%llu %llu", &pages_virtual, &pages_resident) != 2)
                return false;
        *ret_virtual = pages_virtual * (uint64_t) page;
        *ret_resident = pages_resident * (uint64_t) page;
        return true;
}

/* Reads the folder with getdents64, because opendir would take 32 KiB from the heap for it. */
static bool count_fds(uint64_t *ret_count) {
        _Alignas(struct dirent64) char entries[2048];
        uint64_t count = 0;
        ssize_t n;
        int fd;

        fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return false;
        while ((n = getdents64(fd, entries, sizeof entries)) > 0) {
                for (ssize_t i = 0; i < n;) {
                        const struct dirent64 *entry = (const struct dirent64 *) (entries + i);

                        if (entry->d_name[0] != '.')
                                count++;
                        i += entry->d_reclen;
                }
        }
        close(fd);
        if (n < 0)
                return false;
        *ret_count = count - 1;  /* the folder itself was open */
        return true;
}

struct process_info process_info(void) {
        struct process_info info = { 0 };
        struct rusage usage;
        struct rlimit limit;

        if (getrusage(RUSAGE_SELF, &usage) == 0)
                info.cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
                              usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
        info.has_memory = read_memory(&info.virtual_bytes, &info.resident_bytes);
        info.has_fds = count_fds(&info.open_fds);
        info.has_max_fds = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
        if (info.has_max_fds)
                info.max_fds = limit.rlim_cur;
        return info;
}
