// text/vocabulary.h: the tokens of a model: from a text to its id, and back.
#ifndef DIT_TEXT_VOCABULARY_H
#define DIT_TEXT_VOCABULARY_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIT_MOST_TOKENS = 1 << 22 };

// Zero-initialise; freed with dit_vocabulary_free. Ids may have holes.
typedef struct dit_vocabulary {
    char *bytes; // the tokens one after another, a zero byte after each
    size_t byte_count, byte_room;
    struct dit_vocabulary_token {
        uint32_t at, size; // at: in `bytes`; UINT32_MAX: no token has this id
    } * tokens;            // [size]
    size_t token_room;
    int size, count; // ids are below `size`; `count` of them are there
    int32_t *table;  // a hash table of ids; -1: empty
    size_t capacity; // of the table: a power of two
} dit_vocabulary;

// Adds a token; a text that is there already keeps its token, and from then on means the new id. Fails with
// DIT_BAD_FILE (id taken, or not in 0 .. DIT_MOST_TOKENS - 1) or DIT_NO_MEMORY.
dit_status dit_vocabulary_add(dit_vocabulary *v, const char *text, size_t size, int64_t id, dit_error *error);
int dit_vocabulary_find(const dit_vocabulary *v, const char *text, size_t size); // -1 when it is not there
// The id of two texts joined.
int dit_vocabulary_find_joined(const dit_vocabulary *v, const char *first, size_t first_size, const char *second,
                               size_t second_size);
// The text of a token, of *size bytes with a zero byte after them; NULL when no token has the id. Valid until the next
// token is added.
const char *dit_vocabulary_text(const dit_vocabulary *v, int id, size_t *size);
void dit_vocabulary_free(dit_vocabulary *v);

#endif
