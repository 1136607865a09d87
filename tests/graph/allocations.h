// tests/graph/allocations.h: counts every allocation of the process, for tests that a run makes none. Included by one
// file of a program.
#ifndef TESTS_GRAPH_ALLOCATIONS_H
#define TESTS_GRAPH_ALLOCATIONS_H

#include <stddef.h>

#ifdef __SANITIZE_ADDRESS__
static long allocations __attribute__((unused)); // the sanitizer owns the allocator: nothing is counted
#else
// Every allocation of the process comes through here.
static _Atomic long allocations;
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}
void *realloc(void *p, size_t size)
{
    allocations++;
    return __libc_realloc(p, size);
}
void *aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __libc_memalign(alignment, size);
}
#endif

#endif
