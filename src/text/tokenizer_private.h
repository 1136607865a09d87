// text/tokenizer_private.h: a tokenizer in memory.
#ifndef DIT_TEXT_TOKENIZER_PRIVATE_H
#define DIT_TEXT_TOKENIZER_PRIVATE_H

#include "base/arena.h"
#include "base/name_map.h"
#include "text/bpe.h"
#include "text/normalize.h"
#include "text/tokenizer.h"

enum { DIT_MOST_NORMALS = 16, DIT_MOST_AROUND = 16, DIT_MOST_TOKENS = 1 << 22 };

struct dit_tokenizer {
    dit_arena *arena; // texts
    dit_name_map ids;
    const char **tokens; // [size]; NULL where no token has the id
    size_t token_capacity;
    int size;

    // Tokens that are recognised in the text before anything else is done to it.
    struct dit_added {
        const char *content;
        size_t length;
        int32_t id;
    } * added; // [added_count], in the arena
    int added_count;

    dit_normal normals[DIT_MOST_NORMALS];
    int normal_count;
    bool prefix_space; // a space is put before a piece of text that does not start with one
    dit_bpe bpe;
    int32_t before[DIT_MOST_AROUND], after[DIT_MOST_AROUND]; // ids around every text
    int before_count, after_count;
};

// Fills a zeroed tokenizer whose arena is there.
dit_status dit_tokenizer_read(dit_tokenizer *tokenizer, const char *path, dit_error *error);

#endif
