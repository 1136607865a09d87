// cli/eval_classify.c: `dit eval classify`: does a classifier see in pictures what they were drawn as?
#include "cli/command.h"
#include "cli/progress.h"
#include "eval/agreement.h"
#include "eval/classifier.h"
#include "media/image.h"
#include "train/dataset.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSIFIER, DATA, SPLIT, PICTURES, MODEL, PER_CLASS, SEED, STEPS, GUIDANCE, JSON };
static const struct option options[] = {
    [CLASSIFIER] = {"classifier", OPTION_PATH, .value = "DIR", .required = true,
                    .help = "model folder of a classifier that dit train trained"},
    [DATA] = {"data", OPTION_PATH, .value = "DIR",
              .help = "real pictures with labels: how good the classifier itself is"},
    [SPLIT] = {"split", OPTION_TEXT, .value = "NAME", .unset = "test where there is one", .help = "the part of --data"},
    [MODEL] = {"model", OPTION_PATH, 'm', .value = "DIR", .help = "draws pictures of each class"},
    [PER_CLASS] = {"per-class", OPTION_INT, 'n', .value = "N", .min = 1, .max = 1 << 20, .preset = "100",
                   .help = "pictures that the model draws of each class"},
    [PICTURES] = {"pictures", OPTION_PATH, .value = "DIR",
                  .help = "drawn pictures instead: a folder for each class, by name or number"},
    [SEED] = {"seed", OPTION_UINT64, 's', .value = "S", .preset = "1",
              .help = "of the model's noise, and of the order in which labels are shuffled"},
    [STEPS] = {"steps", OPTION_INT, .value = "N", .min = 1, .max = 10000, .unset = "the model's own",
               .help = "sampler steps"},
    [GUIDANCE] = {"guidance-scale", OPTION_FLOAT, .value = "G", .min = 0, .max = 1000, .unset = "the model's own",
                  .help = "how closely to follow the class"},
    [JSON] = {"json", OPTION_FLAG, .help = "print the result as one JSON object"},
    {0},
};

// Pictures and the classes that they should show.
struct pictures {
    const dit_dataset *set; // pictures are read from here, or, when it is NULL,
    dit_image *images;      // from here: [count]
    int *labels;            // [count]
    size_t count;
};

static void free_pictures(struct pictures *p)
{
    for (size_t i = 0; p->images && i < p->count; i++)
        dit_image_free(&p->images[i]);
    free(p->images);
    free(p->labels);
}

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "out of memory");
}

static dit_status give_picture(void *context, size_t index, dit_image *image, dit_error *error)
{
    struct pictures *p = context;
    if (p->set)
        return dit_dataset_read(p->set, index, image, error);
    *image = p->images[index];
    p->images[index] = (dit_image){0};
    return DIT_OK;
}

// ---- Where pictures come from

// The class that a set calls `name`: of that name in `real` (may be NULL), or of that number.
static int class_of(const char *name, const dit_dataset *real, int classes)
{
    for (int i = 0; real && i < dit_dataset_classes(real); i++)
        if (!strcmp(name, dit_dataset_class_name(real, i)))
            return i;
    char *end;
    long number = strtol(name, &end, 10);
    return end != name && !*end && number >= 0 && number < classes ? (int)number : -1;
}

// The labels of a set in the classifier's numbers: the real set's are its own, a set of drawn pictures is asked for the
// names of its classes, which `real`, if it is not NULL, knows.
static dit_status take_labels(const dit_dataset *set, const dit_dataset *real, const char *path, int classes,
                              struct pictures *p, dit_error *error)
{
    p->set = set;
    p->count = dit_dataset_count(set);
    p->labels = malloc(p->count * sizeof *p->labels);
    if (!p->labels)
        return no_memory(error);
    for (size_t i = 0; i < p->count; i++) {
        dit_sample sample = dit_dataset_sample(set, i);
        const char *name = dit_dataset_class_name(set, sample.label);
        p->labels[i] = set == real ? sample.label : class_of(name, real, classes);
        if (sample.label < 0)
            return dit_fail(error, DIT_BAD_FILE, "%s: %.200s has no label", path, sample.name);
        if (p->labels[i] < 0 || p->labels[i] >= classes)
            return dit_fail(error, DIT_BAD_FILE, "%s: \"%.60s\" is none of the classifier's %d classes", path, name,
                            classes);
    }
    return DIT_OK;
}

static dit_status draw_class(const struct call *call, dit_model *model, int class, int number, int count,
                             dit_image *images, dit_error *error)
{
    const struct option_value *o = call->option;
    dit_request request = dit_request_default();
    request.class_label = class;
    request.seed = o[SEED].natural + (uint64_t)number;
    request.count = count;
    request.steps = (int)o[STEPS].integer;
    request.guidance_scale = o[GUIDANCE].given ? o[GUIDANCE].number : -1;
    return dit_generate(model, &request, NULL, images, error);
}

// Draws some pictures at a time, each time with a seed of its own.
static dit_status draw_pictures(const struct call *call, int classes, struct pictures *p, dit_error *error)
{
    enum { AT_ONCE = 50 };
    int per_class = (int)call->option[PER_CLASS].integer, number = 0;
    dit_model *model;
    p->count = (size_t)per_class * (size_t)classes;
    p->images = calloc(p->count, sizeof *p->images);
    p->labels = malloc(p->count * sizeof *p->labels);
    if (!p->images || !p->labels)
        return no_memory(error);
    if (dit_model_open(call->option[MODEL].text, &model, error))
        return error->status;
    dit_progress progress = {.phase = "draw", .unit = "picture", .total = p->count};
    for (size_t done = 0; done < p->count && !error->status; number++) {
        int class = (int)(done / (size_t)per_class), left = per_class - (int)(done % (size_t)per_class);
        int n = left < AT_ONCE ? left : AT_ONCE;
        progress.done = done;
        if (call->watch && call->watch->report(call->watch->context, &progress))
            dit_fail(error, DIT_CANCELLED, "stopped");
        else
            draw_class(call, model, class, number, n, p->images + done, error);
        for (int i = 0; i < n; i++)
            p->labels[done + (size_t)i] = class;
        done += (size_t)n;
    }
    dit_model_close(model);
    return error->status;
}

static dit_status open_real(const struct option_value *o, dit_dataset **real, dit_error *error)
{
    if (o[SPLIT].given)
        return dit_dataset_open(real, o[DATA].text, &(dit_dataset_options){.split = o[SPLIT].text}, error);
    dit_error ours = {0};
    if (!dit_dataset_open(real, o[DATA].text, &(dit_dataset_options){.split = "test"}, &ours))
        return DIT_OK;
    return ours.status == DIT_BAD_ARGUMENT ? dit_dataset_open(real, o[DATA].text, NULL, error)
                                           : dit_fail(error, ours.status, "%s", ours.message);
}

// ---- The result

// What came of the real pictures and of the drawn ones; `pictures` is 0 where there are none.
struct results {
    dit_agreement real, drawn;
};

// {"pictures": N, "accuracy": x, "shuffled": x, "per_class": [...]}; a class without pictures is null.
static json_t *json_of(const dit_agreement *a)
{
    json_t *per_class = json_array();
    for (int c = 0; c < a->classes; c++)
        json_array_append_new(per_class, a->of_class[c] ? json_real(dit_agreement_of_class(a, c)) : json_null());
    return json_pack("{s:I, s:f, s:f, s:o}", "pictures", (json_int_t)a->pictures, "accuracy", a->rate, "shuffled",
                     a->shuffled, "per_class", per_class);
}

static void print_json(const struct results *r)
{
    json_t *all = json_object();
    if (r->real.pictures)
        json_object_set_new(all, "real", json_of(&r->real));
    if (r->drawn.pictures)
        json_object_set_new(all, "drawn", json_of(&r->drawn));
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
}

static void print_whole(const char *title, const dit_agreement *a)
{
    if (a->pictures)
        printf("%-5s %8zu pictures, %5.1f%% seen as what they are; %5.1f%% when labels are shuffled\n", title,
               a->pictures, 100 * a->rate, 100 * a->shuffled);
}

static void print_rate(const dit_agreement *a, int class)
{
    if (a->pictures && a->of_class[class])
        printf("  %5.1f%%", 100 * dit_agreement_of_class(a, class));
    else
        printf("  %6s", "");
}

// `names` may be NULL.
static void print_table(const struct results *r, const dit_dataset *names)
{
    int classes = r->real.pictures ? r->real.classes : r->drawn.classes;
    print_whole("real", &r->real);
    print_whole("drawn", &r->drawn);
    printf("\n%-22s  %6s  %6s\n", "class", r->real.pictures ? "real" : "", r->drawn.pictures ? "drawn" : "");
    for (int c = 0; c < classes; c++) {
        char *name = strdup(names ? dit_dataset_class_name(names, c) : "");
        if (name)
            dit_make_printable(name);
        printf("%3d  %-17s", c, name ? name : "");
        print_rate(&r->real, c);
        print_rate(&r->drawn, c);
        putchar('\n');
        free(name);
    }
}

static dit_status classify(const struct call *call, dit_classifier *classifier, struct pictures *p,
                           dit_agreement *agreement, dit_error *error)
{
    int *seen = malloc(p->count * sizeof *seen), classes = dit_classifier_classes(classifier);
    if (!seen)
        return no_memory(error);
    if (!dit_classifier_run(classifier, give_picture, p, p->count, seen, call->watch, error))
        dit_agreement_count(agreement, p->labels, seen, p->count, classes, call->option[SEED].natural, error);
    free(seen);
    return error->status;
}

static dit_status run_with(const struct call *call, dit_classifier *classifier, dit_dataset **real, dit_dataset **drawn,
                           struct results *results, dit_error *error)
{
    const struct option_value *o = call->option;
    struct pictures ones = {0}, others = {0};
    int classes = dit_classifier_classes(classifier);
    if (o[DATA].given && (open_real(o, real, error) || take_labels(*real, *real, o[DATA].text, classes, &ones, error) ||
                          classify(call, classifier, &ones, &results->real, error)))
        goto done;
    if (o[PICTURES].given && (dit_dataset_open(drawn, o[PICTURES].text, NULL, error) ||
                              take_labels(*drawn, *real, o[PICTURES].text, classes, &others, error)))
        goto done;
    if (o[MODEL].given && draw_pictures(call, classes, &others, error))
        goto done;
    if (others.count)
        classify(call, classifier, &others, &results->drawn, error);
done:
    free_pictures(&ones);
    free_pictures(&others);
    return error->status;
}

static dit_status run(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option;
    dit_classifier *classifier = NULL;
    dit_dataset *real = NULL, *drawn = NULL;
    struct results results = {0};
    if (o[PICTURES].given && o[MODEL].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--pictures and --model: give one of them");
    if (!o[PICTURES].given && !o[MODEL].given && !o[DATA].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--model, --pictures or --data: say what to classify");
    if (!dit_classifier_open(&classifier, o[CLASSIFIER].text, error) &&
        !run_with(call, classifier, &real, &drawn, &results, error)) {
        progress_end();
        if (o[JSON].given)
            print_json(&results);
        else
            print_table(&results, real);
    }
    dit_agreement_free(&results.real);
    dit_agreement_free(&results.drawn);
    dit_dataset_close(drawn);
    dit_dataset_close(real);
    dit_classifier_close(classifier);
    return error->status;
}

static const char *const examples[] = {
    "dit eval classify --classifier runs/fashion-classifier/model --data fashion-mnist --model runs/fashion/model",
    "the classifier on real test pictures, then on drawn ones",
    "dit eval classify --classifier judge/ --pictures drawn/ --json",
    "pictures that are there already, in folders 0, 1, 2, ...",
    NULL,
};

const struct command command_eval_classify = {
    .name = "eval classify",
    .summary = "measure how often a classifier sees in drawn pictures what they were drawn as",
    .options = options,
    .details =
        "The classifier is trained on real pictures by itself (recipes/fashion/classifier.yaml); --data says how\n"
        "far it can be trusted. Shuffled labels are the control: what pictures without any relation to their\n"
        "labels would reach.",
    .examples = examples,
    .run = run,
};
