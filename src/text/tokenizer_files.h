// text/tokenizer_files.h: folders without a tokenizer.json: what the classes of the `transformers` library put around
// the vocabularies that they read. For tokenizer_folder.c and tokenizer_files.c.
#ifndef DIT_TEXT_TOKENIZER_FILES_H
#define DIT_TEXT_TOKENIZER_FILES_H

#include "text/sentencepiece.h"
#include "text/tokenizer_private.h"

struct dit_tokenizer_folder {
    dit_tokenizer *tokenizer;
    const char *path;
    dit_json_file *config; // tokenizer_config.json; NULL: there is none
    dit_json_file *map;    // special_tokens_map.json; the same
};

enum {
    DIT_CLASS_BOS,
    DIT_CLASS_EOS,
    DIT_CLASS_UNK,
    DIT_CLASS_SEP,
    DIT_CLASS_PAD,
    DIT_CLASS_CLS,
    DIT_CLASS_MASK,
    DIT_CLASS_TOKENS
};

// A class of tokenizers.
struct dit_tokenizer_class {
    const char *name;                     // in tokenizer_config.json
    const char *file;                     // the vocabulary it is the usual class of
    const char *tokens[DIT_CLASS_TOKENS]; // the special tokens where no file names others; "": none
    const char *steps;                    // "normalizer" and "pre_tokenizer" as in a tokenizer.json
    int before, after;                    // the special tokens (DIT_CLASS_*) around every text; -1: as the files say
    bool pads_left;
};

// Settings of the folder; what is absent or null is `otherwise`.
bool dit_folder_flag(const struct dit_tokenizer_folder *f, const char *key, bool otherwise, dit_error *error);
int64_t dit_folder_number(const struct dit_tokenizer_folder *f, const char *key, int64_t otherwise, dit_error *error);
// A special token, which lives as long as the tokenizer; "" where there is none.
const char *dit_folder_token(const struct dit_tokenizer_folder *f, const char *key, const char *otherwise,
                             dit_error *error);

// Reads a vocabulary that is no tokenizer.json; *class is what `class_name` says or, for NULL, the file's usual one.
dit_status dit_folder_read_vocabulary(struct dit_tokenizer_folder *f, const char *file, const char *class_name,
                                      const struct dit_tokenizer_class **class, dit_error *error);
// The parts of that, for vocabularies in other files. The class of a name, or NULL; the pieces of a SentencePiece model
// as the class has them; a model of merges, and one of its merges, "first second", whose fault is without a place.
const struct dit_tokenizer_class *dit_folder_class(const char *name);
dit_status dit_folder_add_pieces(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                 const dit_sentencepiece *pieces, const char *path, dit_error *error);
void dit_folder_start_bpe(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class);
dit_status dit_folder_add_merge(const struct dit_tokenizer_folder *f, const char *pair, size_t size, dit_error *fault);
// What comes after the vocabulary: special tokens, habits, steps (tokenizer_folder.c). `class` is NULL where a
// tokenizer.json had the steps.
dit_status dit_folder_complete(struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                               dit_error *error);
// Sets the steps around the model, once the tokens are there.
dit_status dit_folder_read_steps(struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                 dit_error *error);

#endif
