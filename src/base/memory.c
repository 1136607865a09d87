// base/memory.c: physical memory, as the system counts it.
#include "base/memory.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

dit_status dit_memory_check(double bytes, const char *what, dit_error *error)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    double total = (double)pages * (double)size;
    if (pages > 0 && size > 0 && bytes > total)
        return dit_fail(error, DIT_NO_MEMORY, "%s: %.1f GiB are needed, this machine has %.1f GiB", what,
                        bytes / 0x1p30, total / 0x1p30);
    return DIT_OK;
}

size_t dit_memory_resident(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t dit_memory_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : (size_t)usage.ru_maxrss * 1024; // in KiB on Linux
}

void dit_memory_give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

// Of a bound, for stacks of threads, tables, files' buffers, and what the system counts late: a share of small bounds,
// so that they leave something.
enum { MOST_RESERVE = 32 << 20, RESERVED_SHARE = 8 };

size_t dit_memory_bound_for(size_t bytes)
{
    size_t share = bytes / (RESERVED_SHARE - 1) + 1;
    return bytes + (share < MOST_RESERVE ? share : MOST_RESERVE);
}

size_t dit_memory_left(size_t bound)
{
    const size_t reserve = bound / RESERVED_SHARE < MOST_RESERVE ? bound / RESERVED_SHARE : MOST_RESERVE;
    if (!bound)
        return 0;
    dit_memory_give_back();
    size_t taken = dit_memory_resident() + reserve;
    return bound > taken ? bound - taken : 1;
}
