// text/weighted.h: prompts with weights and prompts longer than the text encoder, as users of CLIP-based tools write
// them (the rules are those of the AUTOMATIC1111 web interface). Off unless asked for: brackets are ordinary text
// otherwise.
//
//     (word)  x 1.1    ((word))  x 1.21    (word:1.3)  x 1.3    [word]  / 1.1    \(  \)  \[  \]  \\  the sign itself
//     BREAK   the text after it begins a new chunk, inside brackets too (where that program weighs the word as text)
#ifndef DIT_TEXT_WEIGHTED_H
#define DIT_TEXT_WEIGHTED_H

#include "text/tokenizer.h"

// A part of a prompt with one weight. Neighbours with the same weight are one part.
typedef struct dit_prompt_part {
    char *text; // UTF-8 of `size` bytes with a zero byte after them
    size_t size;
    double weight;
    bool is_break; // BREAK stands here; the text is empty
} dit_prompt_part;

typedef struct dit_prompt_parts { // zero-initialise; freed with dit_prompt_parts_free
    dit_prompt_part *part;
    size_t count, room;
} dit_prompt_parts;

// Takes a prompt apart. A bracket that is not closed holds to the end; one that was not opened is text. A prompt
// without text has one empty part. Fails with DIT_BAD_ARGUMENT (not UTF-8) or DIT_NO_MEMORY.
dit_status dit_prompt_parse(const char *prompt, size_t size, dit_prompt_parts *parts, dit_error *error);
void dit_prompt_parts_free(dit_prompt_parts *parts);

// Rows for a text encoder: tokens before and after a text around at most `room` of its own, then the token that fills
// up. What is done with the weights is in pipelines/weighted_text.c; the rows' states are put one after another.
typedef struct dit_weighted_prompt { // freed with dit_weighted_prompt_free
    int32_t *ids;                    // (rows, length)
    float *weights;                  // (rows, length); 1 for tokens that are not the prompt's
    uint8_t *mask;                   // (rows, length); 0 for the token that fills up
    size_t rows, length;
} dit_weighted_prompt;

typedef struct dit_row_rule {
    size_t room;  // tokens of the prompt that a row takes, 1 or more; 75 for CLIP
    size_t least; // rows that there are at least, for prompts that are run together
    // There is one row, for encoders without such a bound: what is beyond `room` is cut off, BREAK is a space, and so
    // is each end of a part, unless `keeps_spaces`, for tokenizers that put no space before a text.
    bool one, keeps_spaces;
    bool end_fills_up; // rows are filled up with the token that ends a text, not with the tokenizer's padding
    // What is done to each part first, a function of text/clean.h: done to the whole it might take brackets away. NULL:
    // nothing.
    dit_status (*clean)(const char *text, size_t length, char **clean, size_t *size, dit_error *error);
} dit_row_rule;

// Parses and tokenizes a prompt, part by part, into rows. A row that is full ends after its last comma when that is at
// most 20 tokens back. Fails as dit_prompt_parse and dit_tokenizer_encode.
dit_status dit_weigh_prompt(const dit_tokenizer *tokenizer, const char *prompt, size_t size, const dit_row_rule *rule,
                            dit_weighted_prompt *weighted, dit_error *error);
void dit_weighted_prompt_free(dit_weighted_prompt *weighted);

// ---- <lora:name:0.8>

typedef struct dit_prompt_lora {
    char *name;
    double weight; // 1 where none is written
} dit_prompt_lora;

typedef struct dit_prompt_loras { // zero-initialise; freed with dit_prompt_loras_free
    char *prompt;                 // without the loras
    dit_prompt_lora *lora;
    size_t count, room;
} dit_prompt_loras;

// Takes the low-rank adapters out of a prompt. Fails with DIT_BAD_ARGUMENT (not UTF-8, no name, or a weight that is no
// number) or DIT_NO_MEMORY.
dit_status dit_prompt_take_loras(const char *prompt, dit_prompt_loras *loras, dit_error *error);
void dit_prompt_loras_free(dit_prompt_loras *loras);

#endif
