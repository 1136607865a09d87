// backend/cpu/patch_rows.h: the loops that patchify and unpatchify share: images (B, C, [F,] H, W) against tokens
// (B, T, patch volume * C), one row of patches at a time.
#ifndef DIT_BACKEND_CPU_PATCH_ROWS_H
#define DIT_BACKEND_CPU_PATCH_ROWS_H

#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"

typedef struct dit_patch_rows {
    int64_t batch, channels, frames, rows, columns; // of the image
    int64_t patch[3], volume;
    int64_t channel_step, inside_step; // between features of a token: to the next channel, to the next pixel of a patch
    char *image, *tokens;
} dit_patch_rows;

static inline dit_patch_rows dit_patch_rows_of(const dit_view *image, const dit_view *tokens, const int *patch,
                                               dit_patch_order order)
{
    const int64_t *dim = image->shape.dim;
    int rank = image->shape.rank;
    dit_patch_rows p = {.batch = dim[0], .channels = dim[1], .frames = rank == 5 ? dim[2] : 1};
    p.rows = dim[rank - 2];
    p.columns = dim[rank - 1];
    for (int i = 0; i < 3; i++)
        p.patch[i] = patch[i];
    p.volume = p.patch[0] * p.patch[1] * p.patch[2];
    p.channel_step = order == DIT_PATCH_CHANNEL_FIRST ? p.volume : 1;
    p.inside_step = order == DIT_PATCH_CHANNEL_FIRST ? 1 : p.channels;
    p.image = image->data;
    p.tokens = tokens->data;
    return p;
}

// Defines NAME(p): moves every element, of type T, by `statement`, which sees `pixel` and `feature`, two T *.
#define DIT_PATCH_LOOP(NAME, T, statement)                                                                             \
    static void NAME##_row(const dit_patch_rows *p, int64_t b, int64_t frame, int64_t row)                             \
    {                                                                                                                  \
        int64_t width = p->columns / p->patch[2], features = p->volume * p->channels;                                  \
        int64_t token = (b * (p->frames / p->patch[0]) + frame) * (p->rows / p->patch[1]) + row;                       \
        for (int64_t c = 0; c < p->channels; c++)                                                                      \
            for (int64_t f = 0; f < p->patch[0]; f++)                                                                  \
                for (int64_t r = 0; r < p->patch[1]; r++) {                                                            \
                    int64_t line = (b * p->channels + c) * p->frames + frame * p->patch[0] + f;                        \
                    T *pixel = (T *)p->image + (line * p->rows + row * p->patch[1] + r) * p->columns;                  \
                    T *first = (T *)p->tokens + token * width * features + c * p->channel_step +                       \
                               (f * p->patch[1] + r) * p->patch[2] * p->inside_step;                                   \
                    for (int64_t w = 0; w < width; w++, first += features) {                                           \
                        T *feature = first;                                                                            \
                        for (int64_t k = 0; k < p->patch[2]; k++, pixel++, feature += p->inside_step)                  \
                            statement;                                                                                 \
                    }                                                                                                  \
                }                                                                                                      \
    }                                                                                                                  \
    static void NAME(const dit_patch_rows *p)                                                                          \
    {                                                                                                                  \
        int64_t frames = p->frames / p->patch[0], rows = p->rows / p->patch[1], lines = p->batch * frames * rows;      \
        int64_t count = p->batch * p->channels * p->frames * p->rows * p->columns;                                     \
        _Pragma("omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)") for (int64_t n = 0; n < lines;    \
                                                                                          n++)                         \
            NAME##_row(p, n / (frames * rows), n / rows % frames, n % rows);                                           \
    }

// The same for the four element sizes: NAME_8 to NAME_64, and NAME(p, size).
#define DIT_PATCH_LOOPS(NAME, statement)                                                                               \
    DIT_PATCH_LOOP(NAME##_8, uint8_t, statement)                                                                       \
    DIT_PATCH_LOOP(NAME##_16, uint16_t, statement)                                                                     \
    DIT_PATCH_LOOP(NAME##_32, uint32_t, statement)                                                                     \
    DIT_PATCH_LOOP(NAME##_64, uint64_t, statement)                                                                     \
    static void NAME(const dit_patch_rows *p, size_t size)                                                             \
    {                                                                                                                  \
        (size == 1 ? NAME##_8 : size == 2 ? NAME##_16 : size == 4 ? NAME##_32 : NAME##_64)(p);                         \
    }

#endif
