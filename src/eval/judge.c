// eval/judge.c: pictures through the judging network, a few at a time.
#include "eval/judge.h"
#include "base/progress.h"
#include "media/image.h"
#include "models/component.h"
#include "models/efficientnet_lite.h"
#include "train/augment.h"
#include "train/dataset.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8 };
static const char input_name[] = "pixel_values", output_name[] = "features";

struct dit_judge {
    dit_component component;
    dit_plan *plan; // of BATCH pictures
    const dit_efficientnet_config *config;
};

static dit_status make_plan(dit_judge *j, dit_error *error)
{
    int size = j->config->image_size;
    dit_graph *g = dit_graph_new(j->component.weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the judge");
    dit_tensor pixels = dit_input(g, input_name, DIT_F32, DIT_SHAPE(BATCH, 3, size, size));
    dit_output(g, output_name, dit_model_efficientnet_lite(g, j->config, pixels));
    dit_plan_new(g, j->component.weights, &(dit_plan_options){.frozen = true}, &j->plan, error);
    dit_graph_free(g);
    return error->status;
}

static dit_status open_component(dit_judge *j, const char *folder, dit_error *error)
{
    if (dit_component_open(&j->component, folder, DIT_F32, error))
        return error->status;
    if (strcmp(j->component.class->name, "EfficientNetLite"))
        return dit_fail(error, DIT_BAD_FILE, "%s: is a %s; the judge is an EfficientNetLite", folder,
                        j->component.class->name);
    j->config = j->component.config;
    return make_plan(j, error);
}

dit_status dit_judge_open(dit_judge **out, const char *folder, dit_error *error)
{
    dit_error ours = {0};
    char *found = dit_dataset_locate(folder ? folder : "judge");
    dit_judge *j = calloc(1, sizeof *j);
    *out = NULL;
    if (!j)
        dit_fail(&ours, DIT_NO_MEMORY, "no memory to open the judge");
    else if (!found)
        dit_fail(&ours, DIT_NO_FILE, "%s: there is no such folder; tools/data/judge makes the judge's",
                 folder ? folder : "judge");
    else
        open_component(j, found, &ours);
    free(found);
    if (!ours.status) {
        *out = j;
        return DIT_OK;
    }
    dit_judge_close(j);
    return dit_fail(error, ours.status, "%s", ours.message);
}

void dit_judge_close(dit_judge *j)
{
    if (!j)
        return;
    dit_plan_free(j->plan);
    dit_component_close(&j->component);
    free(j);
}

int dit_judge_width(const dit_judge *j)
{
    return j->config->head_channels;
}

// planes: (3, S, S), as the network was trained.
static dit_status prepare(const dit_judge *j, dit_image *image, float *planes, dit_error *error)
{
    const dit_picture_options o = {
        .size = j->config->image_size, .channels = 3, .fit = DIT_FIT_PAD, .background = {255, 255, 255}};
    size_t pixels = (size_t)o.size * (size_t)o.size;
    if (dit_picture_prepare(image, &o, error))
        return error->status;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            planes[c * pixels + i] = (image->pixels[3 * i + c] - j->config->pixel_mean) / j->config->pixel_std;
    return DIT_OK;
}

dit_status dit_judge_run(dit_judge *j, dit_judge_source source, void *context, size_t count, float *features,
                         const dit_watch *watch, dit_error *error)
{
    size_t size = (size_t)j->config->image_size, floats = 3 * size * size, width = (size_t)dit_judge_width(j);
    float *pixels = dit_plan_input(j->plan, input_name).data;
    dit_progress progress = {.phase = "judge", .unit = "picture", .total = count};
    if (dit_report(watch, &progress, error))
        return error->status;
    for (size_t start = 0; start < count; start += BATCH) {
        size_t n = count - start < BATCH ? count - start : BATCH;
        for (size_t i = 0; i < n; i++) {
            dit_image image = {0};
            if (!source(context, start + i, &image, error))
                prepare(j, &image, pixels + i * floats, error);
            dit_image_free(&image);
            if (error->status)
                return error->status;
        }
        progress.done = start + n;
        if (dit_plan_run(j->plan, NULL, NULL, error) || dit_report(watch, &progress, error))
            return error->status;
        memcpy(features + start * width, dit_plan_output(j->plan, output_name).data, n * width * sizeof *features);
    }
    return DIT_OK;
}
