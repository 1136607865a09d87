// graph/plan_guard.h: in builds with the address sanitizer, memory behind a kernel's workspace that nobody may touch
// while the kernel runs: the arena is one allocation, in which one buffer's end is another's beginning.
#ifndef DIT_GRAPH_PLAN_GUARD_H
#define DIT_GRAPH_PLAN_GUARD_H

#include "graph/plan_private.h"

#if defined __has_feature // clang's way to ask
#if __has_feature(address_sanitizer)
#define PLAN_GUARDS 1
#endif
#elif defined __SANITIZE_ADDRESS__
#define PLAN_GUARDS 1
#endif

#if defined PLAN_GUARDS
#include <sanitizer/asan_interface.h>
enum { PLAN_GUARD_BYTES = 256 };
#else
enum { PLAN_GUARD_BYTES = 0 };
#endif

// Closes or opens what lies behind the workspace of a step; a workspace is PLAN_GUARD_BYTES larger than its kernel
// asked.
static inline void plan_guard(const dit_plan *plan, const plan_step *step, bool closed)
{
#if defined PLAN_GUARDS
    if (step->workspace < 0)
        return;
    const plan_buffer *buffer = &plan->buffers[step->workspace];
    char *end = (char *)plan->memory + buffer->offset + buffer->bytes - PLAN_GUARD_BYTES;
    if (closed)
        __asan_poison_memory_region(end, PLAN_GUARD_BYTES);
    else
        __asan_unpoison_memory_region(end, PLAN_GUARD_BYTES);
#else
    (void)plan, (void)step, (void)closed;
#endif
}

#endif
