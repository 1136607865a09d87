// text/charsmap.h: SentencePiece's "precompiled charsmap": what is written instead of which characters, as a
// double-array trie (Aoe 1989) and the replacements (sentencepiece/src/normalizer.cc; units as in Darts-clone).
#ifndef DIT_TEXT_CHARSMAP_H
#define DIT_TEXT_CHARSMAP_H

#include "base/error.h"
#include <stddef.h>

typedef struct dit_charsmap dit_charsmap; // never changes after opening

// Copies and checks the bytes: a trie's size, its 32-bit units, replacements in UTF-8 with a zero byte after each.
// Fails with DIT_BAD_FILE or DIT_NO_MEMORY.
dit_status dit_charsmap_open(dit_charsmap **map, const void *bytes, size_t size, dit_error *error);
void dit_charsmap_close(dit_charsmap *map); // may be NULL

// What stands for the shortest key that `text` begins with; NULL when there is none.
const char *dit_charsmap_find(const dit_charsmap *map, const char *text, size_t size);

#endif
