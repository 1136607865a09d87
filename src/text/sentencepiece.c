// text/sentencepiece.c: reading protocol buffers: a message is a row of fields, each a number, a kind and a value.
#include "text/sentencepiece.h"
#include "base/arena.h"
#include "io/file.h"
#include "text/character.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Fields

struct message {
    const char *at, *end;
};

struct field {
    uint64_t number; // of the field in its message
    int kind;        // VARINT, ... ; how the value is stored
    uint64_t value;  // of a number
    struct message bytes;
};

enum { VARINT = 0, EIGHT_BYTES = 1, BYTES = 2, FOUR_BYTES = 5 };

// Seven bits a byte, the lowest first, as long as the top bit is set.
static bool take_varint(struct message *m, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        unsigned char byte = (unsigned char)*m->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take_bytes(struct message *m, uint64_t size, struct message *bytes)
{
    if (size > (uint64_t)(m->end - m->at))
        return false;
    *bytes = (struct message){m->at, m->at + size};
    m->at += size;
    return true;
}

// False where the bytes are no field.
static bool take_field(struct message *m, struct field *f)
{
    uint64_t tag, size;
    *f = (struct field){0};
    if (!take_varint(m, &tag))
        return false;
    f->number = tag >> 3;
    f->kind = tag & 7;
    switch (f->kind) {
    case VARINT:
        return take_varint(m, &f->value);
    case EIGHT_BYTES:
        return take_bytes(m, 8, &f->bytes);
    case FOUR_BYTES:
        if (!take_bytes(m, 4, &f->bytes))
            return false;
        for (int i = 0; i < 4; i++)
            f->value |= (uint64_t)(unsigned char)f->bytes.at[i] << 8 * i;
        return true;
    case BYTES:
        return take_varint(m, &size) && take_bytes(m, size, &f->bytes);
    default:
        return false;
    }
}

// ---- Messages. Fields that do not matter here are passed over, as the format wants it.

static const char *read_piece(dit_sentencepiece *model, struct message m)
{
    enum { TEXT = 1, SCORE = 2, KIND = 3 };
    struct dit_sentence_piece piece = {.text = "", .kind = DIT_PIECE_NORMAL};
    while (m.at < m.end) {
        struct field f;
        if (!take_field(&m, &f))
            return "holds a broken piece";
        if (f.number == TEXT && f.kind == BYTES) {
            piece.text = f.bytes.at;
            piece.size = (size_t)(f.bytes.end - f.bytes.at);
        } else if (f.number == SCORE && f.kind == FOUR_BYTES) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&piece.score, &bits, sizeof bits);
        } else if (f.number == KIND && f.kind == VARINT)
            piece.kind = f.value > DIT_PIECE_BYTE ? 0 : (int)f.value;
    }
    if (piece.kind < DIT_PIECE_NORMAL || !isfinite(piece.score))
        return "holds a piece of an unknown kind, or with a score that is no number";
    if (dit_text_check(piece.text, piece.size, "", NULL) || memchr(piece.text, 0, piece.size))
        return "holds a piece that is no text";
    if (!dit_grow(&model->piece, &model->room, model->count + 1, sizeof *model->piece))
        return NULL;
    model->piece[model->count++] = piece;
    return "";
}

static const char *read_training(dit_sentencepiece *model, struct message m)
{
    enum { MODEL = 3, UNKNOWN = 40 };
    while (m.at < m.end) {
        struct field f;
        if (!take_field(&m, &f))
            return "holds broken settings of its training";
        if (f.number == MODEL && f.kind == VARINT)
            model->model = f.value > 100 ? 100 : (int)f.value;
        else if (f.number == UNKNOWN && f.kind == VARINT)
            model->unknown = (int64_t)f.value;
    }
    return "";
}

static const char *read_normalizer(dit_sentencepiece *model, struct message m)
{
    enum { CHARSMAP = 2 };
    while (m.at < m.end) {
        struct field f;
        if (!take_field(&m, &f))
            return "holds broken settings of its normalizer";
        if (f.number == CHARSMAP && f.kind == BYTES && f.bytes.end > f.bytes.at) {
            model->charsmap = f.bytes.at;
            model->charsmap_size = (size_t)(f.bytes.end - f.bytes.at);
        }
    }
    return "";
}

// What is wrong with the file; "": nothing; NULL: memory is out.
static const char *read_model(dit_sentencepiece *model, struct message m)
{
    enum { PIECE = 1, TRAINING = 2, NORMALIZER = 3 };
    while (m.at < m.end) {
        struct field f;
        const char *fault = take_field(&m, &f) ? "" : "is no SentencePiece file";
        if (!*fault && f.kind == BYTES)
            fault = f.number == PIECE        ? read_piece(model, f.bytes)
                    : f.number == TRAINING   ? read_training(model, f.bytes)
                    : f.number == NORMALIZER ? read_normalizer(model, f.bytes)
                                             : "";
        if (!fault || *fault)
            return fault;
    }
    if (model->count == 0)
        return "is no SentencePiece file: it holds no pieces";
    return model->unknown < 0 || model->unknown >= (int64_t)model->count ? "names no piece for what it does not know"
                                                                         : "";
}

dit_status dit_sentencepiece_parse(dit_sentencepiece *model, const char *path, const char *bytes, size_t size,
                                   dit_error *error)
{
    *model = (dit_sentencepiece){.model = DIT_SENTENCEPIECE_UNIGRAM};
    const char *fault = read_model(model, (struct message){bytes, bytes + size});
    if (fault && !*fault)
        return DIT_OK;
    dit_sentencepiece_close(model);
    return fault ? dit_fail(error, DIT_BAD_FILE, "%s: %s", path, fault)
                 : dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its pieces", path);
}

dit_status dit_sentencepiece_open(dit_sentencepiece *model, const char *path, dit_error *error)
{
    enum { LARGEST = 64 << 20 };
    size_t size;
    char *bytes;
    *model = (dit_sentencepiece){0};
    if (dit_file_read(path, LARGEST, &bytes, &size, error))
        return error->status;
    if (dit_sentencepiece_parse(model, path, bytes, size, error))
        free(bytes);
    else
        model->bytes = bytes;
    return error->status;
}

void dit_sentencepiece_close(dit_sentencepiece *model)
{
    free(model->bytes);
    free(model->piece);
    *model = (dit_sentencepiece){0};
}
