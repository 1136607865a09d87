// eval/classifier.c: pictures through a classifier, many at a time.
#include "eval/classifier.h"
#include "base/progress.h"
#include "media/image.h"
#include "models/component.h"
#include "models/image_classifier.h"
#include "train/augment.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 };
static const char input_name[] = "pixel_values", output_name[] = "logits";

struct dit_classifier {
    dit_component component;
    dit_plan *plan; // of BATCH pictures
    const dit_image_classifier_config *config;
};

static dit_status make_plan(dit_classifier *c, dit_error *error)
{
    dit_graph *g = dit_graph_new(c->component.weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the classifier");
    int size = c->config->sample_size;
    dit_tensor pixels = dit_input(g, input_name, DIT_F32, DIT_SHAPE(BATCH, c->config->in_channels, size, size));
    dit_output(g, output_name, dit_model_image_classifier(g, c->config, pixels));
    dit_plan_new(g, c->component.weights, &(dit_plan_options){.frozen = true}, &c->plan, error);
    dit_graph_free(g);
    return error->status;
}

static dit_status open_component(dit_classifier *c, const char *folder, dit_error *error)
{
    if (dit_component_open(&c->component, folder, DIT_F32, error))
        return error->status;
    if (strcmp(c->component.class->name, "ImageClassifier"))
        return dit_fail(error, DIT_BAD_FILE, "%s: is a %s; a classifier is an ImageClassifier", folder,
                        c->component.class->name);
    c->config = c->component.config;
    if (c->config->in_channels != 1 && c->config->in_channels != 3)
        return dit_fail(error, DIT_BAD_FILE, "%s: takes %d channels; pictures have 1 or 3", folder,
                        c->config->in_channels);
    return make_plan(c, error);
}

dit_status dit_classifier_open(dit_classifier **out, const char *folder, dit_error *error)
{
    dit_error ours = {0};
    dit_classifier *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", folder);
    if (!open_component(c, folder, &ours)) {
        *out = c;
        return DIT_OK;
    }
    dit_classifier_close(c);
    return dit_fail(error, ours.status, "%s", ours.message);
}

void dit_classifier_close(dit_classifier *c)
{
    if (!c)
        return;
    dit_plan_free(c->plan);
    dit_component_close(&c->component);
    free(c);
}

int dit_classifier_classes(const dit_classifier *c)
{
    return c->config->classes;
}

// planes: (C, S, S), as dit_loader gives pictures to a training run without augmentation.
static dit_status prepare(const dit_classifier *c, dit_image *image, float *planes, dit_error *error)
{
    const dit_picture_options o = {
        .size = c->config->sample_size, .channels = c->config->in_channels, .fit = DIT_FIT_PAD};
    if (dit_picture_prepare(image, &o, error))
        return error->status;
    return dit_picture_draw(image, &o, 0, 0, false, planes, error);
}

static dit_status largest(const float *logits, int count, int *class, dit_error *error)
{
    *class = 0;
    for (int i = 0; i < count; i++) {
        if (!isfinite(logits[i]))
            return dit_fail(error, DIT_BAD_NUMBER, "the classifier gives a value that is not finite");
        if (logits[i] > logits[*class])
            *class = i;
    }
    return DIT_OK;
}

dit_status dit_classifier_run(dit_classifier *c, dit_classifier_source source, void *context, size_t count,
                              int *classes, const dit_watch *watch, dit_error *error)
{
    dit_error ours = {0};
    size_t size = (size_t)c->config->sample_size, floats = (size_t)c->config->in_channels * size * size;
    float *pixels = dit_plan_input(c->plan, input_name).data;
    const float *logits = dit_plan_output(c->plan, output_name).data; // (BATCH, classes)
    dit_progress progress = {.phase = "classify", .unit = "picture", .total = count};
    dit_report(watch, &progress, &ours);
    for (size_t start = 0; start < count && !ours.status; start += BATCH) {
        size_t n = count - start < BATCH ? count - start : BATCH;
        for (size_t i = 0; i < n && !ours.status; i++) {
            dit_image image = {0};
            if (!source(context, start + i, &image, &ours))
                prepare(c, &image, pixels + i * floats, &ours);
            dit_image_free(&image);
        }
        if (!ours.status)
            dit_plan_run(c->plan, NULL, NULL, &ours);
        for (size_t i = 0; i < n && !ours.status; i++)
            largest(logits + i * (size_t)c->config->classes, c->config->classes, &classes[start + i], &ours);
        progress.done = start + n;
        dit_report(watch, &progress, &ours);
    }
    return ours.status ? dit_fail(error, ours.status, "%s", ours.message) : DIT_OK;
}
