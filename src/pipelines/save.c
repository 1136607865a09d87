// pipelines/save.c: opened models as published folders.
#include "pipelines/save.h"
#include "base/progress.h"
#include "io/atomic_file.h"
#include "io/file.h"
#include "io/gguf.h"
#include "pipelines/pipeline.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A folder on its way.
struct saving {
    dit_model *model;
    const char *folder; // under a name of its own until it is whole
    const dit_watch *watch;
    uint64_t done, total; // bytes of weights
    json_t *index;        // model_index.json
};

static dit_status path_in(const struct saving *s, const char *a, const char *b, char path[4096], dit_error *error)
{
    if (snprintf(path, 4096, "%s/%s%s%s", s->folder, a, b ? "/" : "", b ? b : "") >= 4096)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", s->folder);
    return DIT_OK;
}

static dit_status make_folder(const struct saving *s, const char *name, dit_error *error)
{
    char path[4096];
    if (path_in(s, name, NULL, path, error))
        return error->status;
    return mkdir(path, 0777) ? dit_fail_errno(error, errno, "%s", path) : DIT_OK;
}

static dit_status save_json(const char *path, const json_t *value, dit_error *error)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    if (!text)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to write it", path);
    dit_atomic_file_save(path, text, strlen(text), error);
    free(text);
    return error->status;
}

static void list_part(struct saving *s, const char *name, const char *library, const char *class)
{
    json_object_set_new(s->index, name, class ? json_pack("[s, s]", library, class) : json_pack("[n, n]"));
}

// ---- Networks

static bool is_text_encoder(const char *part)
{
    return !strncmp(part, "text_encoder", strlen("text_encoder"));
}

// The configuration as each library reads it. Keys that begin with '_' are this program's own notes.
static dit_status save_config(const struct saving *s, const dit_part *part, dit_error *error)
{
    char path[4096];
    const char *key, *class = part->component.class->name;
    json_t *value, *config = json_object();
    json_object_foreach(dit_json_root(part->component.json).value, key, value)
    {
        if (key[0] != '_')
            json_object_set(config, key, value);
    }
    if (is_text_encoder(part->kind->name))
        json_object_set_new(config, "architectures", json_pack("[s]", class));
    else
        json_object_set_new(config, "_class_name", json_string(class));
    if (!path_in(s, part->kind->name, "config.json", path, error))
        save_json(path, config, error);
    json_decref(config);
    return error->status;
}

// The tensors of one network, handed to the writer one after another.
struct tensors {
    struct saving *saving;
    const dit_component *component;
};

static dit_status produce(void *context, size_t index, const void **data, dit_error *error)
{
    struct tensors *t = context;
    struct saving *s = t->saving;
    if (index > 0) // the one before is written
        dit_tensor_file_release(t->component->file, &dit_weights_at(t->component->weights, (int)index - 1)->array);
    const dit_array *array = &dit_weights_at(t->component->weights, (int)index)->array;
    *data = array->data;
    s->done += dit_array_bytes(array);
    dit_progress progress = {.phase = "convert", .unit = "byte", .done = s->done, .total = s->total};
    return dit_report(s->watch, &progress, error);
}

static dit_status save_weights(struct saving *s, const dit_part *part, dit_error *error)
{
    static const dit_text_pair format = {"format", "pt"};
    static const dit_gguf_field fields[] = {{.key = "general.architecture", .text = "dit"},
                                            {.key = "general.quantization_version", .integer = 2}};
    const dit_component *c = &part->component;
    struct tensors t = {s, c};
    char path[4096], name[64];
    bool blocks = false;
    int count = dit_weights_count(c->weights);
    dit_safetensors_item *items = calloc((size_t)count + 1, sizeof *items);
    if (!items)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to list its weights", c->folder);
    for (int i = 0; i < count; i++) {
        const dit_weight *w = dit_weights_at(c->weights, i);
        items[i] = (dit_safetensors_item){.name = w->name, .dtype = w->array.dtype, .shape = w->array.shape};
        blocks = blocks || dit_dtype_is_block(w->array.dtype);
    }
    snprintf(name, sizeof name, "%s.%s", is_text_encoder(part->kind->name) ? "model" : "diffusion_pytorch_model",
             blocks ? "gguf" : "safetensors");
    if (path_in(s, part->kind->name, name, path, error))
        goto done;
    if (blocks)
        dit_gguf_write(path, items, (size_t)count, fields, 2, produce, &t, error);
    else
        dit_safetensors_write(path, items, (size_t)count, &format, 1, produce, &t, error);
done:
    free(items);
    return error->status;
}

static dit_status save_part(struct saving *s, int i, dit_error *error)
{
    const dit_part *part = &s->model->parts[i];
    const char *name = part->kind->name;
    bool there = dit_model_has_part(s->model, name);
    if (!there) {
        list_part(s, name, NULL, NULL);
        return DIT_OK;
    }
    if (!dit_model_part(s->model, name, error) || make_folder(s, name, error) || save_config(s, part, error) ||
        save_weights(s, part, error))
        return error->status;
    list_part(s, name, is_text_encoder(name) ? "transformers" : "diffusers", part->component.class->name);
    return DIT_OK;
}

// ---- Tokenizers

static dit_status copy_file(const char *from, const char *to, dit_error *error)
{
    enum { LARGEST = 256 << 20 };
    char *bytes;
    size_t size;
    if (dit_file_read(from, LARGEST, &bytes, &size, error))
        return error->status;
    dit_atomic_file_save(to, bytes, size, error);
    free(bytes);
    return error->status;
}

static bool is_regular(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISREG(info.st_mode);
}

// Copies the files of a folder, or one file, into the folder `name`.
static dit_status copy_files(const struct saving *s, const char *from, const char *name, dit_error *error)
{
    char source[4096], target[4096];
    const char *slash = strrchr(from, '/');
    if (is_regular(from))
        return path_in(s, name, slash ? slash + 1 : from, target, error) ? error->status
                                                                         : copy_file(from, target, error);
    DIR *folder = opendir(from);
    if (!folder)
        return dit_fail_errno(error, errno, "%s", from);
    for (struct dirent *e; (e = readdir(folder)) && !error->status;) {
        if (snprintf(source, sizeof source, "%s/%s", from, e->d_name) < (int)sizeof source && is_regular(source) &&
            !path_in(s, name, e->d_name, target, error))
            copy_file(source, target, error);
    }
    closedir(folder);
    return error->status;
}

// The class of transformers that reads a tokenizer: what the model's folder says, or the usual one of its text encoder.
static const char *tokenizer_class(const dit_model *m, const char *name, const char *encoder)
{
    dit_json_file *index = dit_sources_index(m->sources);
    const json_t *entry = index ? json_object_get(dit_json_root(index).value, name) : NULL;
    const char *known = json_string_value(json_array_get(entry, 1));
    if (known && !dit_sources_names(m->sources, name))
        return known;

    static const char *const classes[][2] = {
        {"CLIP", "CLIPTokenizer"},       {"T5", "T5TokenizerFast"},      {"Bert", "BertTokenizer"},
        {"Gemma", "GemmaTokenizerFast"}, {"Qwen", "Qwen2TokenizerFast"},
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strstr(encoder, classes[i][0]))
            return classes[i][1];
    return "PreTrainedTokenizerFast";
}

static dit_status save_tokenizer(struct saving *s, const dit_part *part, dit_error *error)
{
    char name[32], path[4096];
    if (!dit_tokenizer_of(part->kind->name, name))
        return DIT_OK;
    if (!part->source.path) {
        list_part(s, name, NULL, NULL);
        return DIT_OK;
    }
    if (!dit_sources_tokenizer_path(s->model->sources, name, path))
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s: its tokenizer is in the same file, which makes no folder; give one as --part %s=PATH",
                        part->source.path, name);
    list_part(s, name, "transformers", tokenizer_class(s->model, name, part->kind->classes[0]));
    return make_folder(s, name, error) ? error->status : copy_files(s, path, name, error);
}

// ---- The whole

// -Infinity, which published files have, is no JSON: a scheduler's own text is kept.
static dit_status save_scheduler(struct saving *s, dit_error *error)
{
    char path[4096];
    dit_json root = dit_json_root(s->model->scheduler);
    const char *from = dit_json_file_name(s->model->scheduler);
    list_part(s, "scheduler", "diffusers", dit_json_text(root, "_class_name", error));
    if (make_folder(s, "scheduler", error) || path_in(s, "scheduler", "scheduler_config.json", path, error))
        return error->status;
    return is_regular(from) ? copy_file(from, path, error) : save_json(path, root.value, error);
}

static dit_status save_all(struct saving *s, dit_error *error)
{
    char path[4096];
    s->index = json_pack("{s:s}", "_class_name", s->model->class->name);
    for (int i = 0; i < s->model->part_count; i++)
        for (int k = 0; s->model->parts[i].open && k < dit_weights_count(s->model->parts[i].component.weights); k++)
            s->total += dit_array_bytes(&dit_weights_at(s->model->parts[i].component.weights, k)->array);
    for (int i = 0; i < s->model->part_count && !error->status; i++)
        if (!save_part(s, i, error))
            save_tokenizer(s, &s->model->parts[i], error);
    if (!error->status && !save_scheduler(s, error) && !path_in(s, "model_index.json", NULL, path, error))
        save_json(path, s->index, error);
    json_decref(s->index);
    return error->status;
}

// Removes a folder and the folders in it, which hold files alone.
static void remove_folder(const char *path, int depth)
{
    DIR *folder = opendir(path);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        char inside[4096];
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
            snprintf(inside, sizeof inside, "%s/%s", path, e->d_name) >= (int)sizeof inside)
            continue;
        if (unlink(inside) && depth > 0)
            remove_folder(inside, depth - 1);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

static bool is_empty(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count == 2; // itself and the folder above
}

dit_status dit_model_save(dit_model *model, const char *folder, const dit_watch *watch, dit_error *error)
{
    char target[4096], temporary[4096];
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        n--;
    if (snprintf(target, sizeof target, "%.*s", (int)n, folder) >= (int)sizeof target ||
        snprintf(temporary, sizeof temporary, "%s.dit-XXXXXX", target) >= (int)sizeof temporary)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", folder);
    if (!access(target, F_OK) && !is_empty(target)) // an empty folder is replaced at the end
        return dit_fail(error, DIT_NO_FILE, "%s: is there already, and is no empty folder", target);
    if (!mkdtemp(temporary))
        return dit_fail_errno(error, errno, "%s", target);
    struct saving s = {.model = model, .folder = temporary, .watch = watch};
    chmod(temporary, 0755);
    if (!save_all(&s, error) && rename(temporary, target))
        dit_fail_errno(error, errno, "%s", target);
    if (error->status)
        remove_folder(temporary, 1);
    return error->status;
}
