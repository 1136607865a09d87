// base/memory.h: how much memory there is. Linux hands out more than it has and ends the program when that is touched:
// what takes memory on a file's word asks here first.
#ifndef DIT_BASE_MEMORY_H
#define DIT_BASE_MEMORY_H

#include "base/error.h"
#include <stddef.h>

// Fails with DIT_NO_MEMORY when `bytes` (a double: sums of hostile sizes do not overflow it) are more than the machine
// has. `what` says what needs them: "the model's weights".
dit_status dit_memory_check(double bytes, const char *what, dit_error *error);

// Bytes of this process that are in memory, mapped files included: now, and at most so far. 0: the system does not say.
size_t dit_memory_resident(void);
size_t dit_memory_peak(void);
// Gives what was freed back to the system, where it would count as in memory.
void dit_memory_give_back(void);
// What a bound on the whole process leaves for new work, at least 1; 0, no bound, stays 0. Gives back to the system
// what was freed, first.
size_t dit_memory_left(size_t bound);
// The smallest bound that leaves work room when the process holds `bytes` with it.
size_t dit_memory_bound_for(size_t bytes);

#endif
