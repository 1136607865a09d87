// text/clean.h: prompts made as the public pipelines make them before they are tokenized.
#ifndef DIT_TEXT_CLEAN_H
#define DIT_TEXT_CLEAN_H

#include "base/error.h"
#include <stddef.h>

// The result of each is malloc'd UTF-8 with a zero byte after its *size bytes (`size` may be NULL). They fail with
// DIT_BAD_ARGUMENT (not UTF-8, or a text that takes the rules too long) or DIT_NO_MEMORY; *clean is NULL then.

// PixArt and Lumina-Next: DeepFloyd's rules for captions from the web, twice (diffusers' `_clean_caption`): links,
// markup, file names, article numbers and advertising go; dashes, quotes, ligatures and widths become plain; lower
// case. What ftfy's fix_text does is done but its repair of texts that were decoded with the wrong encoding.
dit_status dit_clean_caption(const char *text, size_t length, char **clean, size_t *size, dit_error *error);

// SANA, and PixArt where cleaning is off: lower case, and no space around.
dit_status dit_clean_lower(const char *text, size_t length, char **clean, size_t *size, dit_error *error);

#endif
