// pipelines/text.c: prompts as rows of conditions.
#include "pipelines/pipeline.h"
#include "pipelines/survey.h"
#include "pipelines/weighted_text.h"
#include "text/padded.h"
#include <stdlib.h>
#include <string.h>

int dit_job_texts(const dit_job *job, const char *texts[2])
{
    texts[0] = job->request->prompt ? job->request->prompt : "";
    texts[1] = job->request->negative_prompt ? job->request->negative_prompt : "";
    return job->guided ? 2 : 1;
}

// Leaves out the columns, at either end, that are padding in every row.
static dit_status cut_padding(dit_arrays *in, dit_error *error)
{
    dit_array ids = dit_arrays_take(in, "input_ids"), mask = dit_arrays_take(in, "attention_mask");
    const int64_t rows = mask.shape.dim[0], length = mask.shape.dim[1], *open = mask.data;
    int64_t first = length, end = 0;
    for (int64_t i = 0; i < rows * length; i++)
        if (open[i]) {
            first = i % length < first ? i % length : first;
            end = i % length + 1 > end ? i % length + 1 : end;
        }
    if (end == 0) // nothing but padding: one token of it stays
        first = 0, end = 1;
    dit_array *to[] = {dit_arrays_add(in, "input_ids", DIT_I64, DIT_SHAPE(rows, end - first), error),
                       dit_arrays_add(in, "attention_mask", DIT_I64, DIT_SHAPE(rows, end - first), error)};
    const int64_t *from[] = {ids.data, mask.data};
    for (int64_t r = 0; r < 2 * rows && !error->status; r++)
        memcpy((int64_t *)to[r % 2]->data + r / 2 * (end - first), from[r % 2] + r / 2 * length + first,
               (size_t)(end - first) * sizeof(int64_t));
    free(ids.data);
    free(mask.data);
    return error->status;
}

// Moves padding from the start of a row to its end.
static void pad_right(int64_t *ids, uint8_t *mask, int length)
{
    int start = 0;
    while (start < length && !mask[start])
        start++;
    const int64_t padding = ids[0];
    for (int i = 0; i < length && start > 0; i++) {
        ids[i] = i + start < length ? ids[i + start] : padding;
        mask[i] = i + start < length ? mask[i + start] : 0;
    }
}

static dit_status encode_row(const dit_tokenizer *tokenizer, const dit_text_query *q, const char *text, int64_t *ids,
                             uint8_t *mask, dit_error *error)
{
    const int end = q->ends_as_padding ? dit_tokenizer_ask(tokenizer).eos_id : -1;
    return end >= 0 ? dit_encode_padded_with(tokenizer, end, text, (size_t)q->length, ids, mask, error)
                    : dit_encode_padded(tokenizer, text, (size_t)q->length, ids, mask, error);
}

// Ids and mask of every text.
static dit_status tokenize(dit_model *m, const dit_text_query *q, dit_arrays *in, dit_error *error)
{
    dit_tokenizer *tokenizer = dit_model_tokenizer(m, q->tokenizer, error);
    dit_array *ids = dit_arrays_add(in, "input_ids", DIT_I64, DIT_SHAPE(q->count, q->length), error);
    dit_array *mask = dit_arrays_add(in, "attention_mask", DIT_I64, DIT_SHAPE(q->count, q->length), error);
    uint8_t *row = malloc((size_t)q->length);
    if (!row)
        dit_fail(error, DIT_NO_MEMORY, "no memory for a prompt of %d tokens", q->length);
    for (int t = 0; t < q->count && !error->status; t++) {
        int64_t *to = (int64_t *)ids->data + (int64_t)t * q->length;
        char *clean = NULL;
        if ((q->clean && q->clean(q->texts[t], strlen(q->texts[t]), &clean, NULL, error)) ||
            encode_row(tokenizer, q, clean ? clean : q->texts[t], to, row, error))
            dit_error_locate(error, t == 0 ? "--prompt" : "--negative-prompt");
        free(clean);
        if (!error->status && q->pads_right)
            pad_right(to, row, q->length);
        for (int i = 0; i < q->length; i++)
            ((int64_t *)mask->data)[(int64_t)t * q->length + i] = row[i];
    }
    free(row);
    return error->status || !q->longest ? error->status : cut_padding(in, error);
}

dit_status dit_encode_texts(dit_model *m, const dit_text_query *q, const dit_watch *watch, dit_arrays *out,
                            dit_error *error)
{
    dit_arrays in = {0};
    dit_text_rows rows = {0};
    const dit_component *encoder = NULL;
    const int first = out->count;
    if (!(q->weighting ? dit_weigh_texts(m, q, &rows, &in, error) : tokenize(m, q, &in, error)) &&
        (encoder = dit_model_part(m, q->encoder, error))) {
        dit_array mask = q->mask ? (dit_array){0} : dit_arrays_take(&in, "attention_mask");
        if (m->survey)
            dit_survey_encoder(m, q->encoder, encoder, &in, q->wanted, out, error);
        else
            dit_component_call(encoder, DIT_FORWARD, &in, q->wanted, watch, out, error);
        if (mask.data)
            dit_arrays_give(&in, "attention_mask", mask, error);
        dit_model_part_done(m, q->encoder);
    }
    for (int i = first; i < out->count && !error->status; i++)
        dit_model_check_numbers(m, q->encoder, &out->item[i].array, error);
    for (int i = 0; i < in.count && !error->status; i++) {
        dit_arrays_give(out, in.item[i].name, in.item[i].array, error);
        in.item[i].array.data = NULL;
    }
    for (int i = first; i < out->count && q->weighting && !error->status; i++)
        dit_join_rows(q, &rows, &out->item[i].array);
    free(rows.weights);
    dit_arrays_free(&in);
    return error->status;
}

dit_status dit_conditions_rows(const dit_job *job, const dit_array *from, dit_arrays *to, const char *name,
                               dit_error *error)
{
    dit_shape shape = from->shape;
    size_t row = dit_array_bytes(from) / (size_t)shape.dim[0];
    const size_t other = shape.dim[0] > 1 ? row : 0;
    shape.dim[0] = job->rows;
    dit_array *made = dit_arrays_add(to, name, from->dtype, shape, error);
    for (int64_t i = 0; made && i < job->rows; i++)
        memcpy((char *)made->data + (size_t)i * row, (const char *)from->data + (i < job->count ? 0 : other), row);
    return error->status;
}

int dit_model_text_length(dit_model *m, const char *name, int otherwise, int most, dit_error *error)
{
    const dit_tokenizer *tokenizer = dit_model_tokenizer(m, name, error);
    size_t length = tokenizer ? dit_tokenizer_ask(tokenizer).most : 0;
    if (!length)
        length = (size_t)otherwise;
    return length > (size_t)most ? most : (int)length;
}

dit_status dit_join_features(const dit_array *a, const dit_array *b, dit_array *joined, dit_error *error)
{
    int64_t count = a->shape.dim[0], A = a->shape.dim[1], B = b->shape.dim[1];
    if (dit_array_alloc(joined, DIT_F32, DIT_SHAPE(count, A + B), error))
        return error->status;
    for (int64_t i = 0; i < count; i++) {
        float *row = (float *)joined->data + i * (A + B);
        memcpy(row, (const float *)a->data + i * A, (size_t)A * sizeof *row);
        memcpy(row + A, (const float *)b->data + i * B, (size_t)B * sizeof *row);
    }
    return DIT_OK;
}
