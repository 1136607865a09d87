// pipelines/weighted_text.c: prompts with weights, and prompts longer than an encoder's row, as conditions.
//
// What a weight does to a token's state z is one of two things that users know by the programs they come from:
//
//     comfyui    z' = e + w (z - e), e the state at the same place of an empty prompt: other tokens stay as they are
//     a1111      z' = w z, and then the whole row times a factor that makes its mean what it was before
//
// Pooled states are those of the first row, and have no weights, in both programs. Brackets are read alike for both
// (text/weighted.h), where ComfyUI itself lets an inner weight replace the outer one and knows neither [] nor BREAK.
#include "pipelines/weighted_text.h"
#include "text/weighted.h"
#include <stdlib.h>
#include <string.h>

bool dit_prompt_weighting_from_name(const char *name, dit_prompt_weighting *weighting)
{
    *weighting = !strcmp(name, "comfyui") ? DIT_WEIGHTING_COMFYUI
                 : !strcmp(name, "a1111") ? DIT_WEIGHTING_A1111
                                          : DIT_WEIGHTING_NONE;
    return *weighting != DIT_WEIGHTING_NONE;
}

static dit_status weigh(const dit_tokenizer *tokenizer, const dit_text_query *q, int text, size_t least,
                        dit_weighted_prompt *prompt, dit_error *error)
{
    size_t before, after;
    dit_tokenizer_before(tokenizer, &before);
    dit_tokenizer_after(tokenizer, &after);
    const char *words = text < q->count ? q->texts[text] : "";
    size_t around = before + after, length = (size_t)q->length;
    const dit_row_rule rule = {.room = length > around ? length - around : 0,
                               .least = least,
                               .one = !q->chunks,
                               .keeps_spaces = q->keeps_spaces,
                               .end_fills_up = q->ends_as_padding,
                               .clean = q->clean};
    if (dit_weigh_prompt(tokenizer, words, strlen(words), &rule, prompt, error))
        dit_error_locate(error, text == 0 ? "--prompt" : "--negative-prompt");
    return error->status;
}

// How many rows every text gets, and whether any token has a weight.
static dit_status count_rows(const dit_tokenizer *tokenizer, const dit_text_query *q, dit_text_rows *rows,
                             dit_error *error)
{
    bool any = false;
    *rows = (dit_text_rows){.texts = q->count, .each = 1, .length = q->length};
    for (int t = 0; t < q->count; t++) {
        dit_weighted_prompt prompt;
        if (weigh(tokenizer, q, t, 1, &prompt, error))
            return error->status;
        rows->each = (int64_t)prompt.rows > rows->each ? (int64_t)prompt.rows : rows->each;
        for (size_t i = 0; i < prompt.rows * prompt.length; i++)
            any = any || prompt.weights[i] != 1;
        dit_weighted_prompt_free(&prompt);
    }
    if (any && q->weighting == DIT_WEIGHTING_COMFYUI)
        rows->empty = q->empty_is_padding ? q->count : 1;
    return DIT_OK;
}

dit_status dit_weigh_texts(dit_model *m, const dit_text_query *q, dit_text_rows *rows, dit_arrays *in, dit_error *error)
{
    dit_tokenizer *tokenizer = dit_model_tokenizer(m, q->tokenizer, error);
    if (!tokenizer || count_rows(tokenizer, q, rows, error))
        return error->status;
    const int64_t text = rows->each * rows->length; // values of one
    const int64_t texts = rows->texts * text;
    const dit_shape shape = DIT_SHAPE(rows->texts * rows->each + rows->empty, rows->length);
    dit_array *ids = dit_arrays_add(in, "input_ids", DIT_I64, shape, error);
    dit_array *mask = dit_arrays_add(in, "attention_mask", DIT_I64, shape, error);
    rows->weights = malloc((size_t)texts * sizeof *rows->weights);
    if (!rows->weights)
        return dit_fail(error, DIT_NO_MEMORY, "--prompt: no memory for its weights");
    for (int t = 0; t < q->count + rows->empty && !error->status; t++) {
        dit_weighted_prompt prompt;
        const bool is_text = t < q->count;
        if (weigh(tokenizer, q, t, is_text ? (size_t)rows->each : 1, &prompt, error))
            break;
        const int64_t at = is_text ? t * text : texts + (t - q->count) * rows->length;
        for (int64_t i = 0; i < (is_text ? text : rows->length); i++) {
            ((int64_t *)ids->data)[at + i] = prompt.ids[i];
            ((int64_t *)mask->data)[at + i] = prompt.mask[i];
        }
        if (is_text)
            memcpy(rows->weights + t * text, prompt.weights, (size_t)text * sizeof *rows->weights);
        else if (q->empty_is_padding)
            for (int64_t i = 0; i < rows->length; i++) { // the last one is padding, and the text's mask says how much
                ((int64_t *)ids->data)[at + i] = prompt.ids[rows->length - 1];
                ((int64_t *)mask->data)[at + i] = ((int64_t *)mask->data)[(t - q->count) * text + i];
            }
        dit_weighted_prompt_free(&prompt);
    }
    return error->status;
}

// z (length, width) of one row, and e of an empty one.
static void interpolate(float *z, const float *e, const float *weights, int64_t length, int64_t width)
{
    for (int64_t i = 0; i < length; i++)
        for (int64_t c = 0; c < width && weights[i] != 1; c++) {
            const int64_t k = i * width + c;
            z[k] = (z[k] - e[k]) * weights[i] + e[k];
        }
}

static void multiply(float *z, const float *weights, int64_t length, int64_t width)
{
    double before = 0, after = 0;
    for (int64_t i = 0; i < length * width; i++) {
        before += (double)z[i];
        z[i] *= weights[i / width];
        after += (double)z[i];
    }
    const float back = after != 0 ? (float)(before / after) : 1;
    for (int64_t i = 0; i < length * width; i++)
        z[i] *= back;
}

void dit_join_rows(const dit_text_query *q, const dit_text_rows *rows, dit_array *array)
{
    dit_shape *s = &array->shape;
    if (s->rank == 3) {
        const int64_t row = rows->length * s->dim[2], count = rows->texts * rows->each;
        float *states = array->data;
        for (int64_t r = 0; r < count; r++) {
            const float *weights = rows->weights + r * rows->length;
            const int64_t empty = count + (rows->empty > 1 ? r / rows->each : 0);
            if (q->weighting == DIT_WEIGHTING_A1111)
                multiply(states + r * row, weights, rows->length, s->dim[2]);
            else if (rows->empty)
                interpolate(states + r * row, states + empty * row, weights, rows->length, s->dim[2]);
        }
        *s = DIT_SHAPE(rows->texts, rows->each * rows->length, s->dim[2]);
    } else if (array->dtype == DIT_I64) {
        *s = DIT_SHAPE(rows->texts, rows->each * rows->length);
    } else {
        for (int64_t t = 1; t < rows->texts; t++)
            memcpy((float *)array->data + t * s->dim[1], (float *)array->data + t * rows->each * s->dim[1],
                   (size_t)s->dim[1] * sizeof(float));
        *s = DIT_SHAPE(rows->texts, s->dim[1]);
    }
}
