// text/tokenizer.h: text to token ids, as the `tokenizers` and `transformers` libraries do it.
//
// A folder is opened by its tokenizer.json, or else by what older ones hold: spiece.model or tokenizer.model
// (SentencePiece), vocab.json with merges.txt (CLIP, GPT-2, Qwen2), or vocab.txt (BERT); special tokens come from
// tokenizer_config.json, special_tokens_map.json and added_tokens.json. GGUF files of text encoders carry their
// tokenizer in the metadata. A tokenizer.json may hold BPE, Unigram or WordPiece, with the normalizers, pre-tokenizers
// and post-processors that published text encoders use. What is not known is refused by its key, never skipped. The ids
// are those of the libraries, as far as both know the characters.
#ifndef DIT_TEXT_TOKENIZER_H
#define DIT_TEXT_TOKENIZER_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dit_tokenizer dit_tokenizer; // never changes after opening: any number of threads may use it

// How a tokenizer's model likes its texts.
typedef struct dit_tokenizer_habits {
    size_t most;    // ids of a text that the model takes ("model_max_length"); 0: the files do not say
    bool cut_left;  // a text that is too long loses its start ("truncation_side")
    bool pad_left;  // a text that is too short is filled up at its start ("padding_side")
    int32_t pad_id; // fills up; -1: the files name no token for it
    int32_t eos_id; // ends a text ("eos_token"); -1: the files name none
} dit_tokenizer_habits;

// Opens a folder, or one file: tokenizer.json, spiece.model, vocab.txt, vocab.json or merges.txt (with the other beside
// it), or a GGUF file (dit_tokenizer_in_gguf). Fails with DIT_NO_FILE, DIT_BAD_FILE, DIT_UNSUPPORTED (well-formed, but
// of another kind) or DIT_NO_MEMORY, naming file and key.
dit_status dit_tokenizer_open(dit_tokenizer **tokenizer, const char *path, dit_error *error);
// Opens the bytes of a spiece.model or tokenizer.model as a class of transformers does ("T5Tokenizer",
// "GemmaTokenizer", "LlamaTokenizer"), with its special tokens and habits as they usually are. `path` is for errors.
dit_status dit_tokenizer_open_pieces(dit_tokenizer **tokenizer, const char *path, const char *class_name,
                                     const void *bytes, size_t size, dit_error *error);
// Whether the file is GGUF and its metadata holds a tokenizer.
bool dit_tokenizer_in_gguf(const char *path);
void dit_tokenizer_close(dit_tokenizer *tokenizer); // may be NULL

int dit_tokenizer_size(const dit_tokenizer *tokenizer); // ids are below it
// The id of a token as the file writes it, such as "<pad>"; -1 when there is none.
int dit_tokenizer_find(const dit_tokenizer *tokenizer, const char *token);
// The token as the file writes it; NULL when no token has this id.
const char *dit_tokenizer_token(const dit_tokenizer *tokenizer, int id);
dit_tokenizer_habits dit_tokenizer_ask(const dit_tokenizer *tokenizer);
// The ids that are put before and after every text; the caller does not free them.
const int32_t *dit_tokenizer_before(const dit_tokenizer *tokenizer, size_t *count);
const int32_t *dit_tokenizer_after(const dit_tokenizer *tokenizer, size_t *count);

// Encodes UTF-8 of `size` bytes, with the tokens that the file puts around a text. With most > 0 the text's end (its
// start, if that is the tokenizer's habit) is cut so that there are at most `most` ids with these. The caller frees
// *ids, which is never NULL. Fails with DIT_BAD_ARGUMENT (not UTF-8; `most` has no room for the tokens around; a
// character that no token stands for) or DIT_NO_MEMORY.
dit_status dit_tokenizer_encode(const dit_tokenizer *tokenizer, const char *text, size_t size, size_t most,
                                int32_t **ids, size_t *count, dit_error *error);
// The same without the tokens around, uncut.
dit_status dit_tokenizer_encode_bare(const dit_tokenizer *tokenizer, const char *text, size_t size, int32_t **ids,
                                     size_t *count, dit_error *error);

#endif
