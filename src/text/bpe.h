// text/bpe.h: byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909): a word starts as its bytes, and pairs of
// neighbours become one token, the pair that was learned first before the others.
#ifndef DIT_TEXT_BPE_H
#define DIT_TEXT_BPE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dit_bpe {
    int32_t byte_id[256]; // the token of each byte
    struct dit_merge {
        uint64_t pair; // first id << 32 | second id; UINT64_MAX: an empty place
        int32_t rank;  // 0 is the first merge
        int32_t id;    // of the joined token
    } * merges;        // a hash table; zero-initialise the whole struct, free with dit_bpe_free
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

// Encodes the `size` >= 1 bytes of one word: writes at most `size` ids, and says how many. Takes time in proportion to
// size log size. Fails with DIT_NO_MEMORY.
dit_status dit_bpe_encode(const dit_bpe *bpe, const uint8_t *word, size_t size, int32_t *ids, size_t *count,
                          dit_error *error);

#endif
