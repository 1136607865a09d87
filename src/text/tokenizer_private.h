// text/tokenizer_private.h: a tokenizer in memory.
#ifndef DIT_TEXT_TOKENIZER_PRIVATE_H
#define DIT_TEXT_TOKENIZER_PRIVATE_H

#include "base/arena.h"
#include "io/json.h"
#include "text/added.h"
#include "text/bpe.h"
#include "text/split.h"
#include "text/tokenizer.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

enum { DIT_MOST_STEPS = 32, DIT_MOST_AROUND = 16 };

struct dit_tokenizer {
    dit_arena *arena; // texts that steps and tokens borrow

    dit_vocabulary vocabulary; // of the model
    enum dit_model_kind { DIT_MODEL_BPE, DIT_MODEL_UNIGRAM, DIT_MODEL_WORDPIECE } kind;
    dit_bpe_model bpe;
    dit_unigram unigram;
    dit_wordpiece wordpiece;

    // Added tokens, found before and after normalising; those that the model does not have are in `extra`.
    dit_added_token *added; // [added_count]
    size_t added_count, added_room;
    int32_t *added_of_id; // [added_of_id_count] the place of a token in `added`; -1: it is none of them
    size_t added_of_id_count, added_of_id_room;
    dit_trie raw, normalized;
    dit_vocabulary extra;
    char **normal_content; // [added_count] what is looked for in normalised text; NULL elsewhere

    dit_normal_step normals[DIT_MOST_STEPS + 1];
    int normal_count;
    dit_split_step splits[DIT_MOST_STEPS + 1];
    int split_count;
    dit_regex *regexes[DIT_MOST_STEPS]; // of the steps
    int regex_count;
    dit_charsmap *charsmap;

    int32_t before[DIT_MOST_AROUND], after[DIT_MOST_AROUND]; // ids around every text
    int before_count, after_count;
    dit_tokenizer_habits habits;
};

// ---- tokenizer_json.c

// Fills a zeroed tokenizer whose arena is there from a tokenizer.json; dit_tokenizer_prepare comes after.
dit_status dit_tokenizer_read(dit_tokenizer *tokenizer, const char *path, dit_error *error);
// Records that a file asks for what is not done here (DIT_UNSUPPORTED), naming file and key.
dit_status dit_json_unsupported(dit_json object, const char *key, dit_error *error);
// Adds a token to those that are recognised in texts; it gets the id of its text, or the next one where `id` is -1.
// `token` is copied but for its content, which must live as long as the tokenizer. Fails with DIT_BAD_FILE or
// DIT_NO_MEMORY.
dit_status dit_tokenizer_add(dit_tokenizer *tokenizer, dit_added_token token, int64_t id, dit_error *error);
// What comes last, when model, steps and added tokens are there.
dit_status dit_tokenizer_prepare(dit_tokenizer *tokenizer, dit_error *error);

// ---- tokenizer_steps.c

// The keys "normalizer", "pre_tokenizer" and "post_processor" of a tokenizer.json.
dit_status dit_tokenizer_read_steps(dit_tokenizer *tokenizer, dit_json root, dit_error *error);

// ---- tokenizer_folder.c

// Fills a zeroed tokenizer from a folder as Diffusers and transformers save it.
dit_status dit_tokenizer_read_folder(dit_tokenizer *tokenizer, const char *folder, dit_error *error);
// The same from a file that is no tokenizer.json: spiece.model, tokenizer.model, vocab.json, merges.txt or vocab.txt.
dit_status dit_tokenizer_read_other(dit_tokenizer *tokenizer, const char *path, dit_error *error);

// ---- tokenizer_files.c

// The same from the bytes of a SentencePiece model, which a tokenizer of that class reads; `path` is for errors.
dit_status dit_tokenizer_read_pieces(dit_tokenizer *tokenizer, const char *path, const char *class_name,
                                     const char *bytes, size_t size, dit_error *error);

// ---- tokenizer_gguf.c

// The same from the metadata of a GGUF file by llama.cpp.
dit_status dit_tokenizer_read_gguf(dit_tokenizer *tokenizer, const char *path, dit_error *error);

#endif
