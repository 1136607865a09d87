// text/tokenizer.h: text to token ids, by a tokenizer.json in the format of Hugging Face's `tokenizers` library.
//
// What is read: byte-level BPE ("model": "BPE", "pre_tokenizer": "ByteLevel" with GPT-2's rule), the normalizers NFC,
// NFD, NFKC, NFKD, Lowercase and Strip, alone or in a Sequence, added tokens, and a TemplateProcessing of tokens before
// and after the text. The ids are those of that library, as far as both know the characters (utf8proc 2.8: Unicode 15).
// What is not known is refused, never skipped.
#ifndef DIT_TEXT_TOKENIZER_H
#define DIT_TEXT_TOKENIZER_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct dit_tokenizer dit_tokenizer; // never changes after opening: any number of threads may use it

// Opens a tokenizer.json, or the one in a folder. Fails with DIT_NO_FILE, DIT_BAD_FILE, DIT_UNSUPPORTED (well-formed,
// but of another kind) or DIT_NO_MEMORY, naming file and key.
dit_status dit_tokenizer_open(dit_tokenizer **tokenizer, const char *path, dit_error *error);
void dit_tokenizer_close(dit_tokenizer *tokenizer); // may be NULL

int dit_tokenizer_size(const dit_tokenizer *tokenizer); // ids are below it
// The id of a token as the file writes it, such as "<pad>"; -1 when there is none.
int dit_tokenizer_find(const dit_tokenizer *tokenizer, const char *token);
// The token as the file writes it; NULL when no token has this id.
const char *dit_tokenizer_token(const dit_tokenizer *tokenizer, int id);

// Encodes UTF-8 of `size` bytes, with the tokens that the file puts around a text. With most > 0 the text's end is cut
// so that there are at most `most` ids with these. The caller frees *ids, which is never NULL. Fails with
// DIT_BAD_ARGUMENT (not UTF-8; `most` has no room for the tokens around) or DIT_NO_MEMORY.
dit_status dit_tokenizer_encode(const dit_tokenizer *tokenizer, const char *text, size_t size, size_t most,
                                int32_t **ids, size_t *count, dit_error *error);

#endif
