// base/arena.c: a chain of blocks, each twice the last.
#include "base/arena.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *older;
    size_t size, used; // bytes after the header
};

struct dit_arena {
    struct block *newest;
};

enum { HEADER = 64, FIRST_BLOCK = 16 << 10, LARGEST_DOUBLING = 8 << 20 };

dit_arena *dit_arena_new(void)
{
    return calloc(1, sizeof(dit_arena));
}

void dit_arena_free(dit_arena *arena)
{
    if (!arena)
        return;
    for (struct block *b = arena->newest; b;) {
        struct block *older = b->older;
        free(b);
        b = older;
    }
    free(arena);
}

static struct block *add_block(dit_arena *arena, size_t least)
{
    size_t size = arena->newest ? arena->newest->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_DOUBLING)
        size = LARGEST_DOUBLING;
    if (size < least)
        size = least;
    if (size > SIZE_MAX - HEADER - 63)
        return NULL;
    struct block *b = aligned_alloc(64, (HEADER + size + 63) & ~(size_t)63);
    if (!b)
        return NULL;
    *b = (struct block){arena->newest, size, 0};
    return arena->newest = b;
}

void *dit_arena_alloc(dit_arena *arena, size_t size)
{
    size_t align = size >= 64 ? 64 : 16;
    struct block *b = arena->newest;
    size_t start = b ? (b->used + align - 1) & ~(align - 1) : 0;
    if (!b || start > b->size || size > b->size - start) {
        b = add_block(arena, size);
        if (!b)
            return NULL;
        start = 0;
    }
    b->used = start + size;
    return memset((char *)b + HEADER + start, 0, size);
}

char *dit_arena_copy_text(dit_arena *arena, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = dit_arena_alloc(arena, n);
    return copy ? memcpy(copy, text, n) : NULL;
}

char *dit_arena_printf(dit_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    char *text = n < 0 ? NULL : dit_arena_alloc(arena, (size_t)n + 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

bool dit_grow(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count <= *capacity)
        return true;
    size_t larger = *capacity ? *capacity * 2 : 16;
    if (larger < count)
        larger = count;
    if (size && larger > SIZE_MAX / size)
        return false;
    void **array = items, *grown = realloc(*array, larger * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = larger;
    return true;
}
