// text/bpe_learn.h: learning a byte-level BPE vocabulary from texts, written as a tokenizer.json.
#ifndef DIT_TEXT_BPE_LEARN_H
#define DIT_TEXT_BPE_LEARN_H

#include "base/error.h"
#include <stddef.h>

// Collects the words of texts.
typedef struct dit_bpe_learner dit_bpe_learner;
dit_bpe_learner *dit_bpe_learner_new(void); // NULL when memory is out
void dit_bpe_learner_free(dit_bpe_learner *learner);

// Normalises a text (NFKC, lower case, no space around it) and counts its words. DIT_BAD_ARGUMENT unless it is UTF-8.
dit_status dit_bpe_learner_add(dit_bpe_learner *learner, const char *text, size_t size, dit_error *error);

// Learns merges until the vocabulary has `size` tokens or no pair of tokens occurs `least` times, and writes the file:
// "<pad>" is 0, "<end>", which ends every text, is 1, the 256 bytes follow, and then the merges in their order. The
// most frequent pair comes first; of equals the one with the smaller ids. The same texts give the same file whatever
// their order. *learned, if not NULL, gets the size reached. Fails with DIT_BAD_ARGUMENT (size below 258), DIT_NO_FILE
// or DIT_NO_MEMORY.
dit_status dit_bpe_learner_save(dit_bpe_learner *learner, const char *path, int size, int least, int *learned,
                                dit_error *error);

#endif
