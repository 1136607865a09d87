// base/memory.h: how much memory there is. Linux hands out more than it has and ends the program when that is touched:
// what takes memory on a file's word asks here first.
#ifndef DIT_BASE_MEMORY_H
#define DIT_BASE_MEMORY_H

#include "base/error.h"

// Fails with DIT_NO_MEMORY when `bytes` (a double: sums of hostile sizes do not overflow it) are more than the machine
// has. `what` says what needs them: "the model's weights".
dit_status dit_memory_check(double bytes, const char *what, dit_error *error);

#endif
