// base/memory.c: physical memory, as the system counts it.
#include "base/memory.h"
#include <unistd.h>

dit_status dit_memory_check(double bytes, const char *what, dit_error *error)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    double total = (double)pages * (double)size;
    if (pages > 0 && size > 0 && bytes > total)
        return dit_fail(error, DIT_NO_MEMORY, "%s: %.1f GiB are needed, this machine has %.1f GiB", what,
                        bytes / 0x1p30, total / 0x1p30);
    return DIT_OK;
}
