// The tables models/names/*.def against lists made from the original repositories' names
// (tools/fixtures/single_files.py): a file as the list says is built of numbers, and every published tensor must come
// out of it with its own.
#include "io/safetensors.h"
#include "io/support.h"
#include "models/original.h"
#include "models/original_rows.h"
#include <glob.h>
#include <jansson.h>
#include <math.h>

// Element `index` of a published tensor: small multiples of 1/8, so that sums with one are exact.
static float number(const char *name, int64_t index)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return (float)((h + (uint32_t)index * 7919u) % 1021u) / 8;
}

static int64_t count_of(const json_t *shape)
{
    int64_t count = 1;
    size_t i;
    json_t *extent;
    json_array_foreach(shape, i, extent) count *= json_integer_value(extent);
    return count;
}

// The original tensor of one entry: [name, shape, how, sources].
static float *build(const json_t *entry, const json_t *published)
{
    const char *how = json_string_value(json_array_get(entry, 2));
    json_t *sources = json_array_get(entry, 3), *source;
    int64_t count = count_of(json_array_get(entry, 1)), filled = 0;
    float *data = calloc((size_t)count + 1, sizeof *data);
    assert_non_null(data);
    size_t i;
    json_array_foreach(sources, i, source)
    {
        const char *name = json_string_value(source);
        int64_t part = count_of(json_object_get(published, name));
        if (!strcmp(how, "move") && i > 0)
            break; // one tensor under several names
        for (int64_t k = 0; k < part && filled + k < count; k++)
            data[filled + k] = !strcmp(how, "swap") ? number(name, (k + part / 2) % part) : number(name, k);
        filled += part;
    }
    return data;
}

static void check_tensor(const char *family, const dit_weights *weights, const char *name, const char *as,
                         const json_t *shape)
{
    const dit_weight *w = dit_weights_find(weights, name);
    size_t rank = json_array_size(shape);
    if (!w)
        print_error("%s: %s is not there\n", family, name);
    assert_non_null(w);
    bool fits = (size_t)w->array.shape.rank == rank;
    for (size_t i = 0; i < rank && fits; i++)
        fits = w->array.shape.dim[i] == json_integer_value(json_array_get(shape, i));
    for (int64_t i = 0; fits && i < dit_shape_count(&w->array.shape); i++)
        fits = ((float *)w->array.data)[i] == number(as, i);
    if (!fits)
        print_error("%s: %s has another shape or other numbers\n", family, name);
    assert_true(fits);
}

// What an untold tensor, or a shared one, is told by: its own name, or the first of those that share.
static const char *told_by(const json_t *list, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(list, "original"), i, entry)
    {
        json_t *sources = json_array_get(entry, 3), *source;
        size_t k;
        if (strcmp(json_string_value(json_array_get(entry, 2)), "move"))
            continue;
        json_array_foreach(sources, k, source)
        {
            if (!strcmp(json_string_value(source), name))
                return json_string_value(json_array_get(sources, 0));
        }
    }
    return name;
}

static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    if (json_is_number(a) && json_is_number(b)) // a ratio is rounded up so that it rounds down to whole features
        return fabs(json_number_value(a) - json_number_value(b)) <= 0.03 * fabs(json_number_value(b));
    if (!json_is_array(a) || json_is_array(b))
        return json_equal(a, b);
    size_t i; // one word may stand for a list of it
    const json_t *item;
    json_array_foreach(a, i, item)
    {
        if (!json_equal(item, b))
            return false;
    }
    return true;
}

// Every key of the configuration that follows from the file is the public class's. Where that is null, the class
// takes it from another key.
static void check_config(const char *family, const char *text, const json_t *list)
{
    // Stated in other words, which give the same network.
    static const char *const other_words[] = {"multiple_of", "rope_scaling", "rope_theta"};
    json_t *made = json_loads(text, 0, NULL), *value, *wanted;
    const char *key;
    json_object_foreach(made, key, value)
    {
        bool skip = *key == '_'; // of this program
        for (size_t i = 0; i < sizeof other_words / sizeof *other_words; i++)
            skip = skip || !strcmp(key, other_words[i]);
        wanted = json_object_get(json_object_get(list, "config"), key);
        bool same = skip || json_is_null(wanted) || same_value(value, wanted);
        if (!same)
            print_error("%s: %s is %s, expected %s\n", family, key, json_dumps(value, JSON_ENCODE_ANY),
                        wanted ? json_dumps(wanted, JSON_ENCODE_ANY) : "nothing");
        assert_true(same);
    }
    json_decref(made);
}

static void check_family(scratch *s, const char *path)
{
    dit_error error = {0};
    json_t *list = json_load_file(path, 0, NULL), *entry, *shape;
    assert_non_null(list);
    json_t *published = json_object_get(list, "published"), *original = json_object_get(list, "original");
    size_t count = json_array_size(original), i;
    dit_safetensors_item *items = calloc(count, sizeof *items);
    const char *file_path = scratch_path(s, "x.safetensors"), *name;
    assert_non_null(items);
    json_array_foreach(original, i, entry)
    {
        dit_shape to = {.rank = (int)json_array_size(json_array_get(entry, 1))};
        for (int k = 0; k < to.rank; k++)
            to.dim[k] = json_integer_value(json_array_get(json_array_get(entry, 1), (size_t)k));
        items[i] =
            (dit_safetensors_item){json_string_value(json_array_get(entry, 0)), DIT_F32, to, build(entry, published)};
    }
    dit_safetensors_write(file_path, items, count, NULL, 0, NULL, NULL, &error);
    assert_fine(error);

    dit_tensor_file *file;
    dit_original *found;
    dit_weights *weights = dit_weights_new();
    dit_tensor_file_open(&file, file_path, &error);
    assert_fine(error);
    dit_original_find(&found, file, NULL, &error);
    assert_fine(error);
    if (!found)
        print_error("%s: no family has such names\n", path);
    assert_non_null(found);
    assert_string_equal(dit_original_class(found), json_string_value(json_object_get(list, "class")));
    check_config(path, dit_original_config(found), list);
    dit_original_weights(found, weights, &error);
    assert_fine(error);
    assert_int_equal(dit_weights_count(weights), json_object_size(published));
    json_object_foreach(published, name, shape) check_tensor(path, weights, name, told_by(list, name), shape);

    dit_weights_free(weights);
    dit_original_free(found);
    dit_tensor_file_close(file);
    for (i = 0; i < count; i++)
        free((void *)items[i].data);
    free(items);
    json_decref(list);
}

static void every_published_tensor_comes_out_of_the_original_file(void **state)
{
    (void)state;
    enum { LEAST = 25 };
    glob_t lists;
    scratch s;
    scratch_make(&s);
    assert_int_equal(glob("fixtures/single/*.json", 0, NULL, &lists), 0);
    assert_true(lists.gl_pathc >= LEAST);
    for (size_t i = 0; i < lists.gl_pathc; i++)
        check_family(&s, lists.gl_pathv[i]);
    globfree(&lists);
    scratch_remove(&s);
}

// What one name became depends on the network: SANA's embedding of time has another place in SANA-Sprint.
static void names_of_layers_follow_the_network(void **state)
{
    (void)state;
    static const char *const places[] = {"time_embed.emb.timestep_embedder.linear_1.weight",
                                         "time_embed.timestep_embedder.linear_1.weight"};
    static float zero;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        dit_error error = {0};
        dit_renamed renamed;
        dit_weights *weights = dit_weights_new();
        dit_weights_add(weights, places[i], (dit_array){DIT_F32, DIT_SHAPE(1, 1), &zero}, false, &error);
        assert_fine(error);
        assert_true(dit_original_rename("SanaTransformer2DModel", "t_embedder.mlp.0.weight", false, weights, &renamed));
        assert_int_equal(renamed.count, 1);
        assert_string_equal(renamed.name[0], places[i]);
        assert_true(dit_original_rename("SanaTransformer2DModel", "blocks_1_attn_qkv.weight", true, weights, &renamed));
        assert_true(renamed.consecutive && renamed.count == 3);
        assert_string_equal(renamed.name[2], "transformer_blocks.1.attn1.to_v.weight");
        assert_false(dit_original_rename("LlamaModel", "blk.0.attn_q.weight", false, weights, &renamed));
        dit_weights_free(weights);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_published_tensor_comes_out_of_the_original_file),
                                       cmocka_unit_test(names_of_layers_follow_the_network)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
