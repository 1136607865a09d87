// text/bpe.h: byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909): a word starts as its characters, and pairs
// of neighbours become one token, the pair that was learned first before the others.
#ifndef DIT_TEXT_BPE_H
#define DIT_TEXT_BPE_H

#include "text/ids.h"
#include "text/vocabulary.h"

// Which pairs merge, in which order. Zero-initialise; freed with dit_bpe_free.
typedef struct dit_bpe {
    struct dit_merge {
        uint64_t pair; // first id << 32 | second id; UINT64_MAX: an empty place
        int32_t rank;  // 0 is the first merge
        int32_t id;    // of the joined token
    } * merges;        // a hash table
    size_t capacity, count;
} dit_bpe;

static inline uint64_t dit_pair(int32_t first, int32_t second)
{
    return (uint64_t)(uint32_t)first << 32 | (uint32_t)second;
}

// The next merge in rank. DIT_BAD_FILE when the pair is there already.
dit_status dit_bpe_add(dit_bpe *bpe, int32_t first, int32_t second, int32_t id, dit_error *error);
const struct dit_merge *dit_bpe_find(const dit_bpe *bpe, uint64_t pair); // NULL when there is none
void dit_bpe_free(dit_bpe *bpe);

// Merges the *count ids of one word in place, which leaves *count of them. Takes time in proportion to count log count.
// Fails with DIT_NO_MEMORY.
dit_status dit_bpe_merge(const dit_bpe *bpe, int32_t *ids, size_t *count, dit_error *error);

// Unknown characters where the file names no token for them, or names one that is not in the vocabulary.
enum { DIT_NO_UNKNOWN = -1, DIT_LOST_UNKNOWN = -2 };

enum { DIT_LONGEST_AFFIX = 64 };

// A model of a tokenizer file: how a word starts, and its merges. The texts are borrowed.
typedef struct dit_bpe_model {
    dit_bpe merges;
    const char *prefix; // of every character but a word's first; at most DIT_LONGEST_AFFIX bytes
    const char *suffix; // of a word's last character; the same
    int32_t unknown;    // for a character that is not in the vocabulary
    bool fuse_unknown;  // one token for unknown characters side by side
    bool byte_fallback; // unknown characters become the tokens of their bytes
    bool whole_words;   // a word that is a token is not merged ("ignore_merges")
    int32_t byte_id[256];
} dit_bpe_model;

// Appends the ids of one word of `size` >= 1 bytes of UTF-8. Fails with DIT_NO_MEMORY, or with DIT_BAD_ARGUMENT (a
// character is unknown, and the vocabulary lacks the token that the file names for it).
dit_status dit_bpe_encode(const dit_bpe_model *model, const dit_vocabulary *vocabulary, const char *word, size_t size,
                          dit_ids *ids, dit_error *error);

// The tokens "<0x00>" to "<0xFF>"; -1 where there is none.
void dit_find_byte_tokens(const dit_vocabulary *vocabulary, int32_t byte_id[256]);

#endif
