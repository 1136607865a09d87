// eval/drawings.c: matching drawings with real pictures, and both with their features.
#include "eval/drawings.h"
#include "base/name_map.h"
#include "base/random.h"
#include "media/image.h"
#include "train/augment.h"
#include "train/stream.h"
#include <stdlib.h>
#include <string.h>

// Streams of DIT_STREAM_EVAL beside those of the queries.
enum { STREAM_CHOOSE = 1 };

static uint64_t choice_stream(void)
{
    return dit_stream(DIT_STREAM_EVAL, UINT64_MAX - STREAM_CHOOSE);
}

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory to compare pictures");
}

dit_status dit_drawings_choose(const dit_dataset *real, uint64_t seed, size_t count, size_t *own, dit_error *error)
{
    dit_name_map captions = {0};
    size_t samples = dit_dataset_count(real), found = 0;
    dit_status status = DIT_OK;
    for (size_t k = 0; k < samples && found < count && !status; k++) {
        size_t sample = (size_t)dit_counter_permutation(seed, choice_stream(), samples, k);
        const char *text = dit_dataset_sample(real, sample).text;
        if (!text || !*text || dit_name_map_find(&captions, text) >= 0)
            continue;
        own[found++] = sample;
        if (!dit_name_map_add(&captions, text, 0))
            status = no_memory(error);
    }
    dit_name_map_free(&captions);
    if (!status && found < count)
        status =
            dit_fail(error, DIT_BAD_ARGUMENT, "%zu pictures are asked for; the set has %zu captions", count, found);
    return status;
}

// From each caption to the first sample that has it.
static dit_status map_captions(const dit_dataset *real, dit_name_map *captions, dit_error *error)
{
    for (size_t i = 0; i < dit_dataset_count(real); i++) {
        const char *text = dit_dataset_sample(real, i).text;
        if (text && dit_name_map_find(captions, text) < 0 && !dit_name_map_add(captions, text, (int)i))
            return no_memory(error);
    }
    return DIT_OK;
}

static dit_status read_drawing(const dit_dataset *drawn, size_t index, const dit_name_map *captions,
                               dit_drawing *drawing, dit_error *error)
{
    dit_sample sample = dit_dataset_sample(drawn, index);
    int own = sample.text ? dit_name_map_find(captions, sample.text) : -1;
    if (!sample.text)
        return dit_fail(error, DIT_BAD_FILE, "%s: has no caption in metadata.jsonl", sample.name);
    if (own < 0)
        return dit_fail(error, DIT_BAD_FILE, "%s: no real picture is called \"%.100s\"", sample.name, sample.text);
    drawing->own = (size_t)own;
    return dit_dataset_read(drawn, index, &drawing->image, error);
}

dit_status dit_drawings_read(const dit_dataset *drawn, const dit_dataset *real, uint64_t seed, size_t count,
                             dit_drawing **out, size_t *found, dit_error *error)
{
    size_t samples = dit_dataset_count(drawn);
    *found = samples < count ? samples : count;
    dit_drawing *drawings = calloc(*found + 1, sizeof *drawings);
    dit_name_map captions = {0};
    dit_status status = drawings ? map_captions(real, &captions, error) : no_memory(error);
    for (size_t i = 0; i < *found && !status; i++) {
        size_t index = (size_t)dit_counter_permutation(seed, choice_stream(), samples, i);
        status = read_drawing(drawn, index, &captions, &drawings[i], error);
    }
    dit_name_map_free(&captions);
    if (status) {
        dit_drawings_free(drawings, *found);
        drawings = NULL;
    }
    *out = drawings;
    return status;
}

void dit_drawings_free(dit_drawing *drawings, size_t count)
{
    for (size_t i = 0; drawings && i < count; i++)
        dit_image_free(&drawings[i].image);
    free(drawings);
}

// ---- Judging

struct source {
    const dit_dataset *real;
    const dit_drawing *drawings;
    int size;
};

static dit_status copy_drawing(void *context, size_t index, dit_image *image, dit_error *error)
{
    const struct source *s = context;
    const dit_image *from = &s->drawings[index].image;
    if (dit_image_alloc(image, from->width, from->height, from->channels, error))
        return error->status;
    memcpy(image->pixels, from->pixels, (size_t)from->width * (size_t)from->height * (size_t)from->channels);
    return DIT_OK;
}

// A real picture as it would be if it were drawn: on white, square, and of the drawings' size.
static dit_status read_real(void *context, size_t index, dit_image *image, dit_error *error)
{
    const struct source *s = context;
    const dit_picture_options o = {.size = s->size, .channels = 3, .fit = DIT_FIT_PAD, .background = {255, 255, 255}};
    if (dit_dataset_read(s->real, index, image, error))
        return error->status;
    return dit_picture_prepare(image, &o, error);
}

// same[i]: the first sample whose picture is the same file as sample i's.
static dit_status number_files(const dit_dataset *real, uint32_t *same, dit_error *error)
{
    dit_name_map files = {0};
    dit_status status = DIT_OK;
    for (size_t i = 0; i < dit_dataset_count(real) && !status; i++) {
        const char *name = dit_dataset_sample(real, i).name;
        int first = dit_name_map_find(&files, name);
        same[i] = first < 0 ? (uint32_t)i : (uint32_t)first;
        if (first < 0 && !dit_name_map_add(&files, name, (int)i))
            status = no_memory(error);
    }
    dit_name_map_free(&files);
    return status;
}

dit_status dit_drawings_judge(dit_judge *judge, const dit_dataset *real, const dit_drawing *drawings, size_t count,
                              const dit_retrieval_options *options, const dit_watch *watch, int *ranks,
                              dit_drawings_result *result, dit_error *error)
{
    dit_error ours = {0};
    size_t samples = dit_dataset_count(real), width = (size_t)dit_judge_width(judge);
    if (count == 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "there are no pictures to judge");
    struct source source = {real, drawings, drawings[0].image.width};
    float *drawn_features = malloc(count * width * sizeof *drawn_features);
    float *real_features = malloc(samples * width * sizeof *real_features);
    uint32_t *same = malloc(samples * sizeof *same);
    size_t *own = malloc(count * sizeof *own);
    result->size = source.size;
    for (size_t i = 0; i < count && own; i++)
        own[i] = drawings[i].own;
    if (!drawn_features || !real_features || !same || !own)
        no_memory(&ours);
    else if (!number_files(real, same, &ours) && !dit_retrieval_check(count, samples, own, same, options, &ours) &&
             !dit_judge_run(judge, copy_drawing, &source, count, drawn_features, watch, &ours) &&
             !dit_judge_run(judge, read_real, &source, samples, real_features, watch, &ours))
        dit_retrieval(drawn_features, count, real_features, samples, width, own, same, options, ranks, &result->rates,
                      &result->chance, &ours);
    free(drawn_features);
    free(real_features);
    free(same);
    free(own);
    return ours.status ? dit_fail(error, ours.status, "%s", ours.message) : DIT_OK;
}
