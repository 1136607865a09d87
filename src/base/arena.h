// base/arena.h: memory that is freed together. Many small things with one lifetime take one arena.
#ifndef DIT_BASE_ARENA_H
#define DIT_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dit_arena dit_arena; // freed by its creator with dit_arena_free

// NULL when memory is out.
dit_arena *dit_arena_new(void);
void dit_arena_free(dit_arena *arena);

// Zeroed memory, aligned to 64 bytes for sizes of 64 and more, otherwise to 16. NULL when memory is out.
void *dit_arena_alloc(dit_arena *arena, size_t size);
char *dit_arena_copy_text(dit_arena *arena, const char *text);
char *dit_arena_printf(dit_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Grows *items, an array of `size` bytes an element, so that it holds at least `count`; returns false when memory is
// out or the size overflows. *capacity starts at 0 with *items NULL; the array is malloc'd and its owner frees it.
bool dit_grow(void *items, size_t *capacity, size_t count, size_t size);

#endif
