// text/padded.h: texts as rows of one length, for batches.
#ifndef DIT_TEXT_PADDED_H
#define DIT_TEXT_PADDED_H

#include "text/tokenizer.h"

// Encodes UTF-8 into ids[length] and mask[length]: cut at the end, or filled up with the token "<pad>" (id 0 where the
// tokenizer has none), for which the mask is 0 and otherwise 1. Fails as dit_tokenizer_encode.
dit_status dit_encode_padded(const dit_tokenizer *tokenizer, const char *text, size_t length, int64_t *ids,
                             uint8_t *mask, dit_error *error);
// The same, filled up with the id `pad`.
dit_status dit_encode_padded_with(const dit_tokenizer *tokenizer, int pad, const char *text, size_t length,
                                  int64_t *ids, uint8_t *mask, dit_error *error);

#endif
