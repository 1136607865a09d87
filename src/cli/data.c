// cli/data.c: `dit data check`: whether a training set can be read, to the last sample.
#include "base/progress.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "train/dataset.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { SPLIT, WITHOUT, JSON };
static const struct option options[] = {
    [SPLIT] = {"split", OPTION_TEXT, .value = "NAME", .unset = "the folder itself", .help = "the part to check: train"},
    [WITHOUT] = {"without", OPTION_TEXT, .value = "KEY", .help = "leave out the lines of metadata.jsonl with this key"},
    [JSON] = {"json", OPTION_FLAG, .help = "print the result as one JSON object"},
    {0},
};

struct findings {
    bool json;
    size_t samples, captions, labels, faults;
    int least_width, least_height, most_width, most_height;
    json_t *unreadable; // [{"file": ..., "error": ...}], with --json
};

static void note_fault(struct findings *f, const char *file, const dit_error *fault)
{
    f->faults++;
    if (f->json)
        json_array_append_new(f->unreadable, json_pack("{s:s, s:s}", "file", file, "error", fault->message));
    progress_hide();
    fprintf(stderr, "dit: %s\n", fault->message);
}

static void note_bad_line(void *context, const dit_error *fault)
{
    note_fault(context, "metadata.jsonl", fault);
}

static void note_sample(struct findings *f, const dit_sample *sample, const dit_image *image)
{
    f->captions += sample->text != NULL;
    f->labels += sample->label >= 0;
    f->least_width = f->least_width && f->least_width < image->width ? f->least_width : image->width;
    f->least_height = f->least_height && f->least_height < image->height ? f->least_height : image->height;
    f->most_width = f->most_width > image->width ? f->most_width : image->width;
    f->most_height = f->most_height > image->height ? f->most_height : image->height;
}

// What one thread found of one sample.
struct reading {
    dit_image image; // without pixels: its size
    dit_error error;
};

// Reads every sample, many at a time, and notes them in their order.
static dit_status read_samples(const dit_dataset *set, struct findings *f, const dit_watch *watch, dit_error *error)
{
    enum { BLOCK = 256 };
    size_t count = dit_dataset_count(set);
    struct reading *block = malloc(BLOCK * sizeof *block);
    if (!block)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    dit_progress progress = {.phase = "check", .unit = "sample", .total = count};
    dit_report(watch, &progress, error);
    for (size_t start = 0; start < count && !error->status; start += BLOCK) {
        int n = (int)(count - start < BLOCK ? count - start : BLOCK);
#pragma omp parallel for schedule(dynamic)
        for (int i = 0; i < n; i++) {
            block[i].error = (dit_error){0};
            if (!dit_dataset_read(set, start + (size_t)i, &block[i].image, &block[i].error)) {
                free(block[i].image.pixels);
                block[i].image.pixels = NULL;
            }
        }
        for (int i = 0; i < n; i++) {
            dit_sample sample = dit_dataset_sample(set, start + (size_t)i);
            f->samples++;
            if (block[i].error.status)
                note_fault(f, sample.name, &block[i].error);
            else
                note_sample(f, &sample, &block[i].image);
        }
        progress.done = start + (size_t)n;
        dit_report(watch, &progress, error);
    }
    free(block);
    return error->status;
}

static void print_findings(const struct findings *f, const char *folder, const dit_dataset *set)
{
    int classes = dit_dataset_classes(set);
    if (f->json) {
        json_t *names = json_array();
        for (int i = 0; i < classes; i++)
            json_array_append_new(names, json_string(dit_dataset_class_name(set, i)));
        json_t *all = json_pack("{s:s, s:I, s:I, s:I, s:o, s:[ii], s:[ii], s:O}", "folder", folder, "samples",
                                (json_int_t)f->samples, "captions", (json_int_t)f->captions, "labels",
                                (json_int_t)f->labels, "classes", names, "least_size", f->least_width, f->least_height,
                                "most_size", f->most_width, f->most_height, "unreadable", f->unreadable);
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
        return;
    }
    printf("%zu samples, %zu with a caption", f->samples, f->captions);
    if (classes)
        printf(", %zu with one of %d labels", f->labels, classes);
    if (f->most_width && f->least_width == f->most_width && f->least_height == f->most_height)
        printf("; %dx%d pixels", f->most_width, f->most_height);
    else if (f->most_width)
        printf("; %d to %d pixels wide, %d to %d high", f->least_width, f->most_width, f->least_height, f->most_height);
    printf("; %zu unreadable\n", f->faults);
}

static dit_status run(const struct call *call, dit_error *error)
{
    struct findings f = {.json = call->option[JSON].given, .unreadable = json_array()};
    const char *folder = call->operand[0];
    dit_dataset_options how = {
        .split = call->option[SPLIT].text,
        .without = call->option[WITHOUT].text,
        .on_fault = note_bad_line,
        .context = &f,
    };
    dit_dataset *set = NULL;
    if (!dit_dataset_open(&set, folder, &how, error) && !read_samples(set, &f, call->watch, error)) {
        progress_end();
        print_findings(&f, folder, set);
        if (f.faults)
            dit_fail(error, DIT_BAD_FILE, "%s: %zu of its samples cannot be read", folder, f.faults);
    }
    dit_dataset_close(set);
    json_decref(f.unreadable);
    return error->status;
}

static const char *const examples[] = {
    "dit data check photos/",
    "read every picture that photos/metadata.jsonl lists",
    "dit data check emoji --without skin_tone",
    "a set that tools/data/emoji made, without the variants",
    "dit data check fashion-mnist --split test --json | jq .samples",
    "one figure, for a script",
    NULL,
};

const struct command command_data_check = {
    .name = "data check",
    .summary = "read every sample of a training set and name the unreadable ones",
    .operands = "DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "DIR holds metadata.jsonl (one object a line: file_name, text, keywords, label), or a folder of pictures\n"
        "for each class, or IDX files (train-images-idx3-ubyte and train-labels-idx1-ubyte, gzipped or not).\n"
        "A bare name is a set that tools/data/NAME made in the cache. The exit code is 1 when a sample cannot\n"
        "be read.",
    .examples = examples,
    .run = run,
};
