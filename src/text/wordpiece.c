// text/wordpiece.c: the longest match first.
#include "text/wordpiece.h"
#include "text/character.h"
#include <string.h>

// The longest token at the start of the text; -1 when there is none.
static int longest_token(const dit_wordpiece *m, const dit_vocabulary *vocabulary, bool continues, const char *text,
                         size_t size, size_t *length)
{
    const char *prefix = continues ? m->prefix : "";
    for (size_t n = size < m->longest ? size : m->longest; n > 0; n--) {
        bool whole = n == size || ((unsigned char)text[n] & 0xc0) != 0x80;
        int id = whole ? dit_vocabulary_find_joined(vocabulary, prefix, strlen(prefix), text, n) : -1;
        if (id >= 0) {
            *length = n;
            return id;
        }
    }
    return -1;
}

dit_status dit_wordpiece_encode(const dit_wordpiece *m, const dit_vocabulary *vocabulary, const char *word, size_t size,
                                dit_ids *ids, dit_error *error)
{
    size_t start = ids->count, length = 0;
    int64_t characters = 0;
    for (size_t i = 0; i < size; i++)
        characters += ((unsigned char)word[i] & 0xc0) != 0x80;
    for (size_t at = 0; at < size && characters <= m->most; at += length) {
        int id = longest_token(m, vocabulary, at > 0, word + at, size - at, &length);
        if (id < 0) {
            characters = INT64_MAX; // the word is unknown as a whole
            break;
        }
        if (dit_ids_add(ids, id, error))
            return error->status;
    }
    if (characters <= m->most)
        return DIT_OK;
    ids->count = start;
    return dit_ids_add(ids, m->unknown, error);
}
