// train/batch.c: pictures, noise, times and conditions of a batch.
#include "train/batch.h"
#include "base/random.h"
#include "train/caption.h"
#include "train/stream.h"
#include <string.h>

// The noise of the sample at `position`: what torch.randn gives after a seed that position and run decide.
static void draw_noise(uint64_t seed, uint64_t position, float *noise, int64_t n)
{
    dit_generator generator;
    dit_generator_seed(&generator, dit_counter_u32(seed, dit_stream(DIT_STREAM_NOISE, 0), position));
    dit_randn(&generator, noise, (size_t)n);
}

// Time and noise of one row; `picture` is its number of values.
static void fill_noise(dit_step *step, const dit_recipe *r, uint64_t position, int64_t row, int64_t picture)
{
    double time = dit_objective_time(&r->objective, r->train.seed, position);
    draw_noise(r->train.seed, position, step->noise + row * picture, picture);
    dit_objective_coefficients(&r->objective, time, step->coefficients + row * DIT_COEFFICIENTS);
    step->timestep[row] = (float)dit_objective_timestep(&r->objective, time);
}

static bool is_dropped(const dit_recipe *r, uint64_t position)
{
    return (double)dit_counter_uniform(r->train.seed, dit_stream(DIT_STREAM_DROP, 0), position) < r->data.drop;
}

// The label, or the caption's ids.
static dit_status fill_condition(dit_step *step, const dit_step_shape *shape, const dit_recipe *r,
                                 const dit_sample *sample, uint64_t position, int64_t row,
                                 const dit_text_condition *text, int classes, dit_error *error)
{
    bool dropped = is_dropped(r, position);
    if (!text) {
        step->labels[row] = dropped ? classes : sample->label;
        return DIT_OK;
    }
    char caption[DIT_CAPTION_ROOM] = "";
    if (!dropped)
        dit_caption_draw(sample, r->data.keywords, r->train.seed, position, caption);
    if (dit_text_condition_encode(text, caption, step->ids + row * shape->text_length,
                                  step->text_mask + row * shape->text_length, error))
        dit_error_locate(error, sample->name);
    return error->status;
}

dit_status dit_batch_fill(dit_step *step, const dit_step_shape *shape, const dit_recipe *r, const dit_dataset *set,
                          const dit_batch *batch, const dit_text_condition *text, int classes, dit_error *error)
{
    int64_t picture = shape->channels * shape->height * shape->width;
    bool is_noisy = step->noise != NULL;
    memcpy(step->pixels, batch->pictures, (size_t)(batch->count * picture) * sizeof *step->pixels);
#pragma omp parallel for
    for (int64_t i = 0; i < batch->count; i++) {
        uint64_t position = batch->position + (uint64_t)i;
        dit_sample sample = dit_dataset_sample(set, batch->sample[i]);
        if (is_noisy)
            fill_noise(step, r, position, i, picture);
        dit_error own = {0};
        if (fill_condition(step, shape, r, &sample, position, i, text, classes, &own))
#pragma omp critical
            dit_fail(error, own.status, "%s", own.message);
    }
    return error->status;
}
