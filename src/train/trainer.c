// train/trainer.c: the training loop.
#include "train/trainer.h"
#include "base/progress.h"
#include "io/atomic_file.h"
#include "train/batch.h"
#include "train/blueprint.h"
#include "train/checkpoint.h"
#include "train/export.h"
#include "train/identity.h"
#include "train/log.h"
#include "train/start.h"
#include "train/task.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct trainer {
    const dit_recipe *recipe;
    const char *folder;
    const dit_trainer_hooks *hooks;
    const dit_blueprint *blueprint;
    dit_dataset *set;
    dit_loader *loader;
    dit_text_condition *text; // NULL for a model of classes
    int classes;
    char *identity; // of the run, for its checkpoints
    char *config_text;
    dit_json_file *json;
    const dit_model_class *class;
    void *config;
    dit_step_shape shape;
    dit_weights *weights;
    dit_optimizer optimizer;
    dit_step step;
    float **sums, **gradients; // of accumulated micro-batches, and where the plan leaves each one's; NULL without
    dit_log *log;
    int lock;
    bool made_lock; // the folder had none
    int64_t saved;  // steps of the newest checkpoint
    int64_t logged; // the last step whose line is in the log
    double smooth;  // running mean of the loss
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(const struct trainer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct trainer *t, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    if (!t->hooks || !t->hooks->say)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    t->hooks->say(t->hooks->context, line);
}

// Opening
// --------------------------------------------------------------------------------------------------------------

// What a killed run left half-written, a checkpoint perhaps.
static void sweep(const char *folder)
{
    static const char *const parts[] = {"", "/model", "/model/transformer", "/model/scheduler", "/model/tokenizer"};
    char path[4096];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if ((size_t)snprintf(path, sizeof path, "%s%s", folder, parts[i]) < sizeof path)
            dit_atomic_file_sweep(path);
}

static dit_status open_folder(struct trainer *t, dit_error *error)
{
    char path[4096];
    if (dit_make_folder(t->folder, error))
        return error->status;
    snprintf(path, sizeof path, "%s/.lock", t->folder);
    t->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    t->made_lock = t->lock >= 0;
    if (t->lock < 0 && errno == EEXIST)
        t->lock = open(path, O_RDWR | O_CLOEXEC);
    if (t->lock < 0)
        return dit_fail_errno(error, errno, "%s", path);
    if (flock(t->lock, LOCK_EX | LOCK_NB)) {
        close(t->lock);
        t->lock = -1;
        return dit_fail(error, DIT_NO_FILE, "--out %s: another run is using this folder", t->folder);
    }
    sweep(t->folder);
    return DIT_OK;
}

// A run that could not begin leaves nothing behind; what was there before stays.
static void discard(const struct trainer *t)
{
    char path[4096];
    struct stat log;
    dit_text_condition_discard(t->text);
    snprintf(path, sizeof path, "%s/log.jsonl", t->folder);
    if (!stat(path, &log) && log.st_size == 0)
        unlink(path);
    snprintf(path, sizeof path, "%s/.lock", t->folder);
    if (t->made_lock)
        unlink(path);
    rmdir(t->folder);
}

static dit_status open_data(struct trainer *t, dit_error *error)
{
    const dit_recipe *r = t->recipe;
    const dit_dataset_options options = {.split = r->data.split, .without = r->data.without};
    if (dit_dataset_open(&t->set, r->data.set, &options, error))
        return error->status;
    t->classes = dit_dataset_classes(t->set);
    if (!t->blueprint->is_text && t->classes < 1)
        return dit_fail(error, DIT_BAD_FILE, "%s: the samples have no labels, which %s needs", r->data.set,
                        t->blueprint->class);
    if (t->blueprint->is_text)
        return dit_text_condition_open(&t->text, t->set, t->folder, r, error);
    return DIT_OK;
}

static dit_status open_model(struct trainer *t, dit_error *error)
{
    const dit_recipe *r = t->recipe;
    t->config_text = t->blueprint->config(r, t->classes);
    if (!t->config_text)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the model's configuration");
    if (dit_json_parse(&t->json, "config.json", t->config_text, strlen(t->config_text), 0, error))
        return error->status;
    t->class = dit_model_class_find(t->blueprint->class);
    t->config = calloc(1, t->class->config_bytes);
    t->weights = dit_weights_new();
    if (!t->config || !t->weights)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the model");
    t->shape = (dit_step_shape){.batch = r->train.batch,
                                .channels = r->data.channels,
                                .height = r->data.size,
                                .width = r->data.size,
                                .text_length = t->text ? r->model.text_length : 0,
                                .recompute = r->train.recompute};
    if (t->class->configure(t->config, dit_json_root(t->json), error) ||
        dit_step_create_weights(t->class, t->config, &r->objective, &t->shape, r->train.seed,
                                r->train.optimizer.ema_count, t->weights, error) ||
        dit_optimizer_open(&t->optimizer, t->weights, &r->train.optimizer, error))
        return error->status;
    return dit_step_open(&t->step, t->class, t->config, t->weights, &r->objective, &t->shape, &t->optimizer, error);
}

// Buffers that sum the gradients of several micro-batches.
static dit_status open_sums(struct trainer *t, dit_error *error)
{
    int count = t->optimizer.count;
    if (t->recipe->train.accumulate == 1)
        return DIT_OK;
    t->sums = calloc((size_t)count + 1, sizeof *t->sums);
    t->gradients = calloc((size_t)count + 1, sizeof *t->gradients);
    for (int i = 0; i < count && t->sums && t->gradients; i++) {
        dit_optimized *item = &t->optimizer.items[i];
        t->gradients[i] = item->gradient;
        item->gradient = t->sums[i] = malloc((size_t)item->count * sizeof(float));
        if (!t->sums[i])
            return dit_fail(error, DIT_NO_MEMORY, "train.accumulate: no memory to sum gradients");
    }
    return t->sums && t->gradients ? DIT_OK
                                   : dit_fail(error, DIT_NO_MEMORY, "train.accumulate: no memory to sum gradients");
}

static dit_status open_state(struct trainer *t, dit_error *error)
{
    dit_error damage = {0};
    bool found;
    t->identity = dit_identity_of(t->recipe, t->set);
    if (!t->identity)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the run");
    if (dit_checkpoint_load(t->folder, &t->optimizer, t->identity, &found, &damage, error))
        return error->status;
    if (damage.status)
        say(t, "%s", damage.message);
    t->saved = t->logged = t->optimizer.steps;
    if (found)
        say(t, "going on from step %lld in %s", (long long)t->saved, t->folder);
    else if (t->recipe->model.start && dit_start_from(t->recipe->model.start, t->config_text, &t->optimizer, error))
        return error->status;
    return dit_log_open(&t->log, t->folder, t->saved, error);
}

static dit_status open_loader(struct trainer *t, dit_error *error)
{
    const dit_recipe *r = t->recipe;
    uint8_t grey = (uint8_t)r->data.background;
    const dit_loader_options options = {
        .picture = {.size = r->data.size,
                    .channels = r->data.channels,
                    .fit = DIT_FIT_PAD,
                    .background = {grey, grey, grey},
                    .augmentation = {.mirror = r->data.flip, .crop = r->data.scale, .shift = r->data.shift}},
        .batch = r->train.batch,
        .seed = r->train.seed};
    return dit_loader_new(&t->loader, t->set, &options, (uint64_t)(t->optimizer.steps * r->train.accumulate), error);
}

static void close_trainer(struct trainer *t)
{
    dit_log_close(t->log);
    dit_loader_free(t->loader);
    for (int i = 0; t->sums && i < t->optimizer.count; i++)
        free(t->sums[i]);
    free(t->sums);
    free(t->gradients);
    dit_step_close(&t->step);
    dit_optimizer_close(&t->optimizer);
    dit_weights_free(t->weights);
    free(t->config);
    dit_json_close(t->json);
    free(t->config_text);
    free(t->identity);
    dit_text_condition_close(t->text);
    dit_dataset_close(t->set);
    if (t->lock >= 0)
        close(t->lock);
}

// Running
// --------------------------------------------------------------------------------------------------------------

static void add_gradients(struct trainer *t, bool first)
{
    for (int i = 0; i < t->optimizer.count; i++) {
        float *restrict sum = t->sums[i];
        const float *restrict gradient = t->gradients[i];
#pragma omp parallel for simd if (t->optimizer.items[i].count > 1 << 14)
        for (int64_t k = 0; k < t->optimizer.items[i].count; k++)
            sum[k] = first ? gradient[k] : sum[k] + gradient[k];
    }
}

static dit_status report(struct trainer *t, dit_error *error)
{
    char note[64];
    snprintf(note, sizeof note, "loss %.4f", t->smooth);
    const dit_progress progress = {.phase = "train",
                                   .unit = "step",
                                   .done = (uint64_t)t->optimizer.steps,
                                   .total = (uint64_t)t->recipe->train.steps,
                                   .note = t->smooth > 0 ? note : NULL};
    return dit_report(t->hooks ? t->hooks->watch : NULL, &progress, error);
}

// The micro-batches of one step; *loss and *metric are their means.
static dit_status run_batches(struct trainer *t, double *loss, double *metric, dit_error *error)
{
    int accumulate = t->recipe->train.accumulate;
    *loss = *metric = 0;
    for (int k = 0; k < accumulate; k++) {
        dit_batch batch;
        if (dit_loader_next(t->loader, &batch, error) ||
            dit_batch_fill(&t->step, &t->shape, t->recipe, t->set, &batch, t->text, t->classes, error) ||
            dit_plan_run(t->step.plan, NULL, NULL, error))
            return error->status;
        *loss += (double)*t->step.loss / accumulate;
        if (t->step.metric)
            *metric += (double)*t->step.metric / accumulate;
        if (t->sums)
            add_gradients(t, k == 0);
        if (k + 1 < accumulate && report(t, error))
            return error->status;
    }
    return DIT_OK;
}

static dit_status fail_for_number(const struct trainer *t, double loss, double norm, dit_error *error)
{
    const double bad = isfinite(loss) ? norm : loss;
    char newest[80] = "there is no checkpoint yet: begin anew";
    if (t->saved)
        snprintf(newest, sizeof newest, "the newest checkpoint is step %lld: go on from it", (long long)t->saved);
    return dit_fail(error, DIT_BAD_NUMBER, "step %lld: the %s is %s; %s with a lower train.lr or a longer train.warmup",
                    (long long)t->optimizer.steps + 1, isfinite(loss) ? "gradient" : "loss",
                    isnan(bad) ? "NaN" : "infinite", newest);
}

static dit_status take_step(struct trainer *t, dit_error *error)
{
    double start = seconds_now(), rate = dit_recipe_rate(t->recipe, t->optimizer.steps), loss, metric;
    double scale = 1.0 / t->recipe->train.accumulate;
    if (run_batches(t, &loss, &metric, error))
        return error->status;
    double norm = dit_optimizer_norm(&t->optimizer, scale);
    if (!isfinite(loss) || !isfinite(norm))
        return fail_for_number(t, loss, norm, error);
    dit_optimizer_step(&t->optimizer, rate, scale, norm);
    t->smooth = t->smooth > 0 ? t->smooth + 0.02 * (loss - t->smooth) : loss;
    const dit_log_line line = {.step = t->optimizer.steps,
                               .loss = loss,
                               .gradient_norm = norm,
                               .rate = rate,
                               .seconds = seconds_now() - start,
                               .metric = dit_task_of(&t->recipe->objective)->metric,
                               .metric_value = metric};
    if (!dit_log_write(t->log, &line, error))
        t->logged = t->optimizer.steps;
    return error->status;
}

// Does nothing when there is nothing new, or when the log lacks the last step's line: no checkpoint is ahead of its
// log.
static dit_status save(struct trainer *t, dit_error *error)
{
    if (t->saved == t->optimizer.steps || t->logged != t->optimizer.steps)
        return DIT_OK;
    if (!dit_log_sync(t->log, error) && !dit_checkpoint_save(t->folder, &t->optimizer, t->identity, error))
        t->saved = t->optimizer.steps;
    return error->status;
}

// Writes the model folder and lets the caller draw with it. Samples are no reason to end a run.
static dit_status export_model(struct trainer *t, dit_error *error)
{
    char folder[4096];
    dit_error own = {0};
    snprintf(folder, sizeof folder, "%s/model", t->folder);
    if (dit_export(folder, t->recipe, t->blueprint, t->config_text, &t->optimizer, error) ||
        (t->text && dit_text_condition_save(t->text, folder, error)))
        return error->status;
    if (!dit_log_draw_curve(t->folder, &own) && t->blueprint->pipeline && t->hooks && t->hooks->exported)
        t->hooks->exported(t->hooks->context, folder, t->classes, t->optimizer.steps, &own);
    if (own.status == DIT_CANCELLED)
        return dit_fail(error, DIT_CANCELLED, "%s", own.message);
    if (own.status)
        say(t, "samples: %s", own.message);
    return DIT_OK;
}

static bool is_due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static dit_status run(struct trainer *t, dit_error *error)
{
    const dit_recipe *r = t->recipe;
    if (t->optimizer.steps >= r->train.steps) {
        // It may have been killed between its last checkpoint and its last export; samples may be asked for anew.
        say(t, "the run is complete: %lld steps", (long long)t->optimizer.steps);
        return export_model(t, error);
    }
    report(t, error); // where this run begins: its rate is counted from here
    while (!error->status && t->optimizer.steps < r->train.steps) {
        if (take_step(t, error))
            break;
        int64_t step = t->optimizer.steps;
        bool last = step == r->train.steps;
        if ((is_due(step, r->train.checkpoint_every) || last) && save(t, error))
            break;
        if ((is_due(step, r->train.sample_every) || last) && export_model(t, error))
            break;
        report(t, error);
    }
    // What stops a run from outside, or a sample that cannot be read, costs nothing that was trained. Weights that gave
    // a number that is none are not worth keeping.
    dit_error own = {0};
    if (error->status && error->status != DIT_BAD_NUMBER && save(t, &own))
        say(t, "the last checkpoint is step %lld: %s", (long long)t->saved, own.message);
    return error->status;
}

static void introduce(const struct trainer *t)
{
    dit_plan_figures f = dit_plan_figures_of(t->step.plan);
    int64_t parameters = 0;
    for (int i = 0; i < t->optimizer.count; i++)
        parameters += t->optimizer.items[i].count;
    say(t, "%s, %.2f million parameters, %zu samples, seed %llu, %.1f GFLOP and %.0f MiB a step", t->blueprint->class,
        (double)parameters * 1e-6, dit_dataset_count(t->set), (unsigned long long)t->recipe->train.seed, f.flops * 1e-9,
        (double)f.arena_bytes / 0x1p20);
}

dit_status dit_train(const dit_recipe *recipe, const char *folder, const dit_trainer_hooks *hooks, dit_error *error)
{
    struct trainer t = {.recipe = recipe, .folder = folder, .hooks = hooks, .lock = -1};
    t.blueprint = dit_blueprint_find(recipe, error);
    if (t.blueprint && !open_folder(&t, error) && !open_data(&t, error) && !open_model(&t, error) &&
        !open_sums(&t, error) && !open_state(&t, error) && !open_loader(&t, error)) {
        introduce(&t);
        run(&t, error);
    } else if (t.lock >= 0) {
        discard(&t);
    }
    close_trainer(&t);
    return error->status;
}
