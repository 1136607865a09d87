// pipelines/weighted_text.h: prompts with weights, and prompts longer than an encoder's row (dit_encode_texts).
#ifndef DIT_PIPELINES_WEIGHTED_TEXT_H
#define DIT_PIPELINES_WEIGHTED_TEXT_H

#include "pipelines/pipeline.h"

// The rows of all texts: as many for each, and at the end those of empty prompts: none, one for all, or one for each.
typedef struct dit_text_rows {
    int64_t texts, each, length, empty;
    float *weights; // (texts, each, length), of malloc
} dit_text_rows;

// Adds input_ids and attention_mask (texts * each + empty, length) to `in`. rows->weights is the caller's, also after a
// failure.
dit_status dit_weigh_texts(dit_model *model, const dit_text_query *query, dit_text_rows *rows, dit_arrays *in,
                           dit_error *error);
// An array of all rows as one of the texts, in place: states (rows, length, width) are weighted and become (texts, each
// * length, width), ids and masks (rows, length) alike, pooled states (rows, width) those of the first row of each
// text.
void dit_join_rows(const dit_text_query *query, const dit_text_rows *rows, dit_array *array);

#endif
