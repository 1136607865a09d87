// text/sentencepiece.h: the vocabulary in a SentencePiece file (spiece.model, tokenizer.model): a protocol buffer of
// pieces with scores and of the settings it was trained with (sentencepiece/src/sentencepiece_model.proto).
#ifndef DIT_TEXT_SENTENCEPIECE_H
#define DIT_TEXT_SENTENCEPIECE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIT_PIECE_NORMAL = 1,
    DIT_PIECE_UNKNOWN,
    DIT_PIECE_CONTROL,
    DIT_PIECE_USER_DEFINED,
    DIT_PIECE_UNUSED,
    DIT_PIECE_BYTE
};
enum { DIT_SENTENCEPIECE_UNIGRAM = 1, DIT_SENTENCEPIECE_BPE = 2 };

typedef struct dit_sentencepiece { // freed with dit_sentencepiece_close
    char *bytes;                   // the file, where it was opened
    struct dit_sentence_piece {
        const char *text; // UTF-8 of `size` bytes, in `bytes`; without zero bytes
        size_t size;
        float score; // a finite number
        int kind;    // DIT_PIECE_*
    } * piece;       // [count]; a piece's id is its place
    size_t count, room;
    int model;            // DIT_SENTENCEPIECE_* or another kind
    int64_t unknown;      // id
    const char *charsmap; // text/charsmap.h; `charsmap_size` bytes; NULL: none
    size_t charsmap_size;
} dit_sentencepiece;

// Reads and checks a file of at most 64 MiB. Fails with DIT_NO_FILE, DIT_BAD_FILE or DIT_NO_MEMORY, naming the file.
dit_status dit_sentencepiece_open(dit_sentencepiece *model, const char *path, dit_error *error);
// The same of bytes in memory, which must outlive the model; `path` is for errors.
dit_status dit_sentencepiece_parse(dit_sentencepiece *model, const char *path, const char *bytes, size_t size,
                                   dit_error *error);
void dit_sentencepiece_close(dit_sentencepiece *model);

#endif
