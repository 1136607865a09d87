// train/identity.c: the keys of a recipe that a run keeps for life.
#define _GNU_SOURCE // open_memstream
#include "train/identity.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text(FILE *f, const char *key, const char *value)
{
    fprintf(f, "%s %s\n", key, value ? value : "null");
}

static void number(FILE *f, const char *key, double value)
{
    fprintf(f, "%s %.17g\n", key, value);
}

static void write_model(FILE *f, const dit_recipe *r)
{
    text(f, "model.class", r->model.class);
    number(f, "model.layers", r->model.layers);
    number(f, "model.heads", r->model.heads);
    number(f, "model.width", r->model.width);
    number(f, "model.patch", r->model.patch);
    number(f, "model.text_layers", r->model.text_layers);
    number(f, "model.text_length", r->model.text_length);
    number(f, "model.vocabulary", r->model.vocabulary);
    text(f, "model.start", r->model.start);
}

static void write_data(FILE *f, const dit_recipe *r)
{
    text(f, "data.set", r->data.set);
    text(f, "data.split", r->data.split);
    text(f, "data.without", r->data.without);
    number(f, "data.size", r->data.size);
    number(f, "data.channels", r->data.channels);
    number(f, "data.background", r->data.background);
    number(f, "data.flip", r->data.flip);
    number(f, "data.shift", r->data.shift);
    number(f, "data.scale", r->data.scale);
    number(f, "data.drop", r->data.drop);
    number(f, "data.keywords", r->data.keywords);
}

static void write_objective(FILE *f, const dit_objective *o)
{
    number(f, "objective.kind", o->process);
    number(f, "objective.predict", o->target);
    number(f, "objective.times", o->times);
    number(f, "objective.logit_mean", o->logit_mean);
    number(f, "objective.logit_std", o->logit_std);
    number(f, "objective.learned_variance", o->learned_variance);
    number(f, "objective.min_snr_gamma", o->min_snr_gamma);
    number(f, "objective.velocity_loss", o->velocity_loss);
    number(f, "objective.least_time", o->least_time);
    number(f, "objective.steps", o->steps);
    number(f, "objective.beta_start", o->beta_start);
    number(f, "objective.beta_end", o->beta_end);
    number(f, "objective.label_smoothing", o->label_smoothing);
}

char *dit_identity_of(const dit_recipe *r, const dit_dataset *set)
{
    char *lines = NULL;
    size_t size;
    FILE *f = open_memstream(&lines, &size);
    if (!f)
        return NULL;
    write_model(f, r);
    write_data(f, r);
    fprintf(f, "(the number of samples) %zu\n(the number of classes) %d\n", dit_dataset_count(set),
            dit_dataset_classes(set));
    write_objective(f, &r->objective);
    number(f, "train.batch", r->train.batch);
    number(f, "train.accumulate", r->train.accumulate);
    fprintf(f, "train.seed %llu\n", (unsigned long long)r->train.seed);
    number(f, "train.ema's length", r->train.optimizer.ema_count);
    if (r->train.optimizer.moments != DIT_F32)
        text(f, "train.moments", dit_dtype_name(r->train.optimizer.moments));
    bool failed = ferror(f);
    if (fclose(f) || failed) {
        free(lines);
        return NULL;
    }
    return lines;
}

dit_status dit_identity_check(const char *path, const char *saved, const char *now, dit_error *error)
{
    while (*saved || *now) {
        size_t a = strcspn(saved, "\n"), b = strcspn(now, "\n");
        if (a != b || memcmp(saved, now, a))
            return dit_fail(error, DIT_BAD_FILE,
                            "%s: belongs to another recipe: its run has \"%.*s\", this one \"%.*s\"; give another "
                            "--out, or the old value",
                            path, (int)(a < 100 ? a : 100), saved, (int)(b < 100 ? b : 100), now);
        saved += a + (saved[a] == '\n');
        now += b + (now[b] == '\n');
    }
    return DIT_OK;
}
