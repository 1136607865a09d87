// pipelines/source.c: where the parts of a model lie.
#include "pipelines/source.h"
#include "models/original.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What the caller says of one part.
struct given {
    char *name, *path;
};

struct dit_sources {
    char *base; // a model's folder; NULL: there is none
    char *file; // a single file that holds the transformer, or NULL
    char *pipeline;
    dit_tensor_file *tensors; // of `file`
    dit_json_file *index;     // of `base`
    struct given given[DIT_MOST_SOURCES];
    int count;
};

static bool is_file(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISREG(info.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISDIR(info.st_mode);
}

static bool join(char path[4096], const char *folder, const char *a, const char *b)
{
    int n = snprintf(path, 4096, "%s/%s%s%s", folder, a, b ? "/" : "", b ? b : "");
    return n >= 0 && n < 4096;
}

// ---- Opening

// A folder for what the single file does not hold: the one that is given, else the model's folder that the file lies
// in, itself or as one of its parts. Links to files (as in the Hugging Face cache) are not followed.
static dit_status choose_base(dit_sources *s, const char *given, dit_error *error)
{
    char index[4096], folder[4096];
    const char *slash = strrchr(s->file, '/'), *found = given;
    int length = slash == s->file ? 1 : slash ? (int)(slash - s->file) : 0;
    for (int up = 0; up < 2 && !found; up++) {
        int n = snprintf(folder, sizeof folder, "%.*s%s", length ? length : 1, length ? s->file : ".", up ? "/.." : "");
        if (n > 0 && (size_t)n < sizeof folder && join(index, folder, "model_index.json", NULL) && is_file(index))
            found = folder;
    }
    if (found && !(s->base = strdup(found)))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", s->file);
    return DIT_OK;
}

// A part is [library, class], or [null, null] where the model does without it.
static dit_status check_entries(dit_json index, dit_error *error)
{
    static const char *const parts[] = {"transformer", "vae", "text_encoder", "tokenizer", "scheduler"};
    const char *name;
    json_t *entry;
    json_object_foreach(index.value, name, entry)
    {
        json_t *library = json_array_get(entry, 0), *class_name = json_array_get(entry, 1);
        bool pair = json_array_size(entry) == 2 && ((json_is_string(library) && json_is_string(class_name)) ||
                                                    (json_is_null(library) && json_is_null(class_name)));
        bool part = false;
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            part = part || !strncmp(name, parts[i], strlen(parts[i]));
        if (part && !pair && !json_is_null(entry))
            return dit_json_fail(index, name, error, "must be a library and a class, or [null, null]");
    }
    return DIT_OK;
}

static dit_status open_paths(dit_sources *s, const char *path, const char *base, dit_error *error)
{
    char index[4096];
    if (access(path, F_OK))
        return dit_fail(error, DIT_NO_FILE, "%s: there is no such file or folder", path);
    if (base && !is_file(path))
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--base: gives what a single file lacks, but --model %s is no file; --part replaces one part "
                        "of a folder",
                        path);
    char **own = is_file(path) ? &s->file : &s->base;
    if (!(*own = strdup(path)))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", path);
    if (s->file && (choose_base(s, base, error) || dit_tensor_file_open(&s->tensors, s->file, error)))
        return error->status;
    if (!s->base)
        return DIT_OK;
    if (!join(index, s->base, "model_index.json", NULL))
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", s->base);
    return dit_json_open(&s->index, index, 0, error) ? error->status : check_entries(dit_json_root(s->index), error);
}

static const struct given *find_given(const dit_sources *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (!strcmp(s->given[i].name, name))
            return &s->given[i];
    return NULL;
}

static dit_status take_options(dit_sources *s, const dit_model_options *o, dit_error *error)
{
    for (int i = 0; i < o->source_count; i++) {
        const dit_model_source *from = &o->sources[i];
        if (s->count == DIT_MOST_SOURCES)
            return dit_fail(error, DIT_BAD_ARGUMENT, "--part: more than %d", DIT_MOST_SOURCES);
        if (find_given(s, from->part))
            return dit_fail(error, DIT_BAD_ARGUMENT, "--part: %.40s is given twice", from->part);
        if (*from->path && access(from->path, F_OK))
            return dit_fail(error, DIT_NO_FILE, "--part: %s: there is no such file or folder", from->path);
        struct given *to = &s->given[s->count++];
        *to = (struct given){strdup(from->part), strdup(from->path)};
        if (!to->name || !to->path)
            return dit_fail(error, DIT_NO_MEMORY, "--part: no memory for %.40s", from->part);
    }
    if (o->pipeline && !(s->pipeline = strdup(o->pipeline)))
        return dit_fail(error, DIT_NO_MEMORY, "--pipeline: no memory for its name");
    return DIT_OK;
}

dit_status dit_sources_open(dit_sources **out, const char *path, const dit_model_options *options, dit_error *error)
{
    static const dit_model_options none;
    options = options ? options : &none;
    dit_sources *s = *out = calloc(1, sizeof *s);
    if (!s)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", path);
    return take_options(s, options, error) ? error->status : open_paths(s, path, options->base, error);
}

void dit_sources_close(dit_sources *s)
{
    if (!s)
        return;
    dit_tensor_file_close(s->tensors);
    dit_json_close(s->index);
    for (int i = 0; i < s->count; i++) {
        free(s->given[i].name);
        free(s->given[i].path);
    }
    free(s->pipeline);
    free(s->file);
    free(s->base);
    free(s);
}

// ---- Asking

bool dit_sources_is_file(const dit_sources *s)
{
    return s->file;
}

dit_json_file *dit_sources_index(const dit_sources *s)
{
    return s->index;
}

const char *dit_sources_pipeline(const dit_sources *s)
{
    return s->pipeline;
}

bool dit_sources_names(const dit_sources *s, const char *name)
{
    return find_given(s, name);
}

const char *dit_sources_given(const dit_sources *s, int index)
{
    return index < s->count ? s->given[index].name : NULL;
}

// ---- Networks

// Where files with several networks keep the part. In a file that was given for it, it may also lie under any other
// beginning of names, or none.
static void list_prefixes(const char *name, bool given, dit_source *source)
{
    static const char *const stored[][2] = {
#define STORED(part, prefix) {part, prefix},
#include "pipelines/stored.def"
    };
    const int most = sizeof source->prefixes / sizeof *source->prefixes - 1;
    int count = 0;
    for (size_t i = 0; i < sizeof stored / sizeof *stored && count < most; i++)
        if (!strcmp(stored[i][0], name))
            source->prefixes[count++] = stored[i][1];
    for (const char *const *any = dit_original_prefixes(); given && *any && count < most; any++)
        source->prefixes[count++] = *any;
    source->prefixes[count] = NULL;
}

static dit_status take(dit_source *source, const char *path, dit_error *error)
{
    source->path = strdup(path);
    return source->path ? DIT_OK : dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
}

// A file, a folder with a config.json, or a model's folder that has one like it.
static dit_status take_given(const struct given *given, bool optional, dit_source *source, dit_error *error)
{
    char path[4096], other[4096];
    if (!*given->path)
        return optional ? DIT_OK
                        : dit_fail(error, DIT_BAD_ARGUMENT, "--part: %s= leaves out what the model needs", given->name);
    bool elsewhere = is_folder(given->path) && join(path, given->path, "config.json", NULL) && !is_file(path) &&
                     join(path, given->path, given->name, "config.json") && is_file(path) &&
                     join(other, given->path, given->name, NULL);
    list_prefixes(given->name, true, source);
    return take(source, elsewhere ? other : given->path, error);
}

static dit_status file_holds(const dit_sources *s, const char *const *classes, const char *const *prefixes, bool *holds,
                             dit_error *error)
{
    dit_original *original = NULL;
    const dit_original_query query = {.classes = classes, .prefixes = prefixes};
    dit_original_find(&original, s->tensors, &query, error);
    *holds = original;
    dit_original_free(original);
    return error->status;
}

// As model_index.json says ([null, null]: no), or else whether its config is there.
static bool base_has(const dit_sources *s, const char *name, bool optional)
{
    char path[4096];
    const json_t *entry = json_object_get(dit_json_root(s->index).value, name);
    if (json_is_array(entry))
        return !json_is_null(json_array_get(entry, 0));
    return !optional || (join(path, s->base, name, "config.json") && is_file(path));
}

dit_status dit_sources_find(const dit_sources *s, const char *name, const char *const *classes, bool optional,
                            dit_source *source, dit_error *error)
{
    char path[4096];
    const struct given *given = find_given(s, name);
    bool holds = false;
    *source = (dit_source){0};
    if (s->base && join(path, s->base, name, "config.json") && is_file(path) && !(source->known = strdup(path)))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    if (given)
        return take_given(given, optional, source, error);
    const bool transformer = s->file && !strcmp(name, "transformer"); // which decides what model the file is
    list_prefixes(name, transformer, source);
    if (transformer)
        return take(source, s->file, error);
    if (s->file && file_holds(s, classes, source->prefixes, &holds, error))
        return error->status;
    if (holds)
        return take(source, s->file, error);
    if (s->base && base_has(s, name, optional))
        return join(path, s->base, name, NULL)
                   ? take(source, path, error)
                   : dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", s->base);
    return DIT_OK;
}

void dit_source_free(dit_source *source)
{
    free(source->path);
    free(source->known);
    *source = (dit_source){0};
}

// ---- The rest

bool dit_sources_tokenizer_path(const dit_sources *s, const char *name, char path[4096])
{
    const struct given *given = find_given(s, name);
    if (given && is_folder(given->path) && join(path, given->path, name, NULL) && is_folder(path))
        return true; // of another model's folder
    if (given)
        return snprintf(path, 4096, "%s", given->path) < 4096;
    return s->base && join(path, s->base, name, NULL) && is_folder(path);
}

// The bytes of a SentencePiece model that ComfyUI keeps beside a text encoder's tensors; -1: there are none.
static ptrdiff_t find_pieces(const dit_tensor_file *file)
{
    static const char *const names[] = {"spiece_model", "text_encoders.spiece_model",
                                        "text_encoders.gemma2_2b.spiece_model"};
    ptrdiff_t found = -1;
    for (size_t i = 0; i < sizeof names / sizeof *names && found < 0; i++) {
        found = dit_tensor_file_find(file, names[i]);
        if (found >= 0 && dit_tensor_file_at(file, (size_t)found).dtype != DIT_U8)
            found = -1;
    }
    return found;
}

static bool holds_pieces(const char *path)
{
    dit_tensor_file *file = NULL;
    dit_error ignored = {0};
    bool holds = !dit_tensor_file_open(&file, path, &ignored) && find_pieces(file) >= 0;
    dit_tensor_file_close(file);
    return holds;
}

bool dit_sources_has_tokenizer(const dit_sources *s, const char *name, const dit_source *encoder)
{
    char path[4096];
    return dit_sources_tokenizer_path(s, name, path) ||
           (encoder && encoder->path && is_file(encoder->path) &&
            (dit_tokenizer_in_gguf(encoder->path) || holds_pieces(encoder->path)));
}

static dit_status open_pieces(const char *path, const char *encoder_class, dit_tokenizer **tokenizer, dit_error *error)
{
    const char *class = strstr(encoder_class, "Gemma")   ? "GemmaTokenizer"
                        : strstr(encoder_class, "Llama") ? "LlamaTokenizer"
                                                         : "T5Tokenizer";
    dit_tensor_file *file = NULL;
    dit_array bytes;
    if (!dit_tensor_file_open(&file, path, error)) {
        ptrdiff_t found = find_pieces(file);
        if (found >= 0 && !dit_tensor_file_array(file, (size_t)found, &bytes, error))
            dit_tokenizer_open_pieces(tokenizer, path, class, bytes.data, dit_array_bytes(&bytes), error);
    }
    dit_tensor_file_close(file);
    return error->status;
}

dit_status dit_sources_tokenizer(const dit_sources *s, const char *name, const dit_source *encoder,
                                 const char *class_name, dit_tokenizer **tokenizer, dit_error *error)
{
    char path[4096];
    *tokenizer = NULL;
    if (dit_sources_tokenizer_path(s, name, path))
        return dit_tokenizer_open(tokenizer, path, error);
    if (!encoder || !encoder->path || !is_file(encoder->path))
        return DIT_OK;
    return dit_tokenizer_in_gguf(encoder->path) ? dit_tokenizer_open(tokenizer, encoder->path, error)
           : class_name                         ? open_pieces(encoder->path, class_name, tokenizer, error)
                                                : DIT_OK;
}

dit_status dit_sources_scheduler(const dit_sources *s, const char *published, bool other, dit_json_file **scheduler,
                                 dit_error *error)
{
    static const char file[] = "scheduler_config.json";
    const struct given *given = find_given(s, "scheduler");
    char path[4096] = "";
    bool fits = true;
    if (given && !is_folder(given->path))
        fits = snprintf(path, sizeof path, "%s", given->path) < (int)sizeof path;
    else if (given && (!(fits = join(path, given->path, file, NULL)) || !is_file(path)))
        fits = join(path, given->path, "scheduler", file); // of another model's folder
    else if (!given && s->base && !(other && published))
        fits = join(path, s->base, "scheduler", file);
    if (!fits)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", given ? given->path : s->base);
    if (*path)
        return dit_json_open(scheduler, path, DIT_JSON_MINUS_INFINITY, error);
    return published ? dit_json_parse(scheduler, "the published scheduler", published, strlen(published), 0, error)
                     : DIT_OK;
}
