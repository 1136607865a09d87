// tests/io/yaml_test.c: recipes into structs, with every refusal naming file, line and key.
#include "io/yaml.h"
#include "support.h"
#include <locale.h>
#include <math.h>
#include <sys/stat.h>

enum kind { FLOW, EPS };
struct source {
    char *set;
    float weight;
};
struct recipe {
    int32_t steps;
    uint8_t batch;
    int64_t seed;
    double lr;
    float decay;
    bool flip;
    enum kind kind;
    char *name;
    char *note; // NULL when absent or null
    double *ema;
    uint32_t ema_count;
    int32_t size[2];
    struct source *sources;
    uint32_t sources_count;
    struct {
        int32_t layers;
    } model;
    uint32_t augment;
};

static const cyaml_strval_t kinds[] = {{"flow", FLOW}, {"eps", EPS}};
static const cyaml_strval_t augmentations[] = {{"mirror", 1}, {"crop", 2}};
static const cyaml_schema_value_t ema_entry = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_value_t size_entry = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int32_t)};
static const cyaml_schema_field_t source_fields[] = {
    CYAML_FIELD_STRING_PTR("set", CYAML_FLAG_POINTER, struct source, set, 1, 100),
    CYAML_FIELD_FLOAT("weight", CYAML_FLAG_OPTIONAL, struct source, weight),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t source_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct source, source_fields)};
static const cyaml_schema_field_t model_fields[] = {
    {.key = "layers", .data_offset = 0, .value = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int32_t)}},
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_INT("steps", CYAML_FLAG_DEFAULT, struct recipe, steps),
    CYAML_FIELD_UINT("batch", CYAML_FLAG_OPTIONAL, struct recipe, batch),
    CYAML_FIELD_INT("seed", CYAML_FLAG_OPTIONAL, struct recipe, seed),
    CYAML_FIELD_FLOAT("lr", CYAML_FLAG_OPTIONAL, struct recipe, lr),
    CYAML_FIELD_FLOAT("decay", CYAML_FLAG_OPTIONAL, struct recipe, decay),
    CYAML_FIELD_BOOL("flip", CYAML_FLAG_OPTIONAL, struct recipe, flip),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct recipe, kind, kinds, 2),
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct recipe, name, 1, 20),
    CYAML_FIELD_STRING_PTR("note", CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct recipe, note, 0, 1000),
    CYAML_FIELD_SEQUENCE("ema", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct recipe, ema, &ema_entry, 0, 3),
    CYAML_FIELD_SEQUENCE_FIXED("size", CYAML_FLAG_OPTIONAL, struct recipe, size, &size_entry, 2),
    CYAML_FIELD_SEQUENCE("sources", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct recipe, sources, &source_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_MAPPING("model", CYAML_FLAG_OPTIONAL, struct recipe, model, model_fields),
    CYAML_FIELD_FLAGS("augment", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct recipe, augment, augmentations, 2),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct recipe, fields)};

static dit_yaml *opened(const char *text, const char *defaults, const char *const *overrides, size_t count)
{
    dit_yaml *document = NULL;
    dit_error error = {0};
    dit_yaml_parse(&document, "recipe.yaml", text, strlen(text), defaults, overrides, count, &error);
    assert_fine(error);
    return document;
}

static struct recipe *loaded(const dit_yaml *document)
{
    struct recipe *recipe = NULL;
    dit_error error = {0};
    dit_yaml_load(document, &schema, (void **)&recipe, &error);
    assert_fine(error);
    return recipe;
}

static const char whole[] = "# a recipe\n"
                            "steps: 60000\n"
                            "batch: 255\n"
                            "seed: -9223372036854775808\n"
                            "lr: 1e-4\n"
                            "decay: .5\n"
                            "flip: true\n"
                            "kind: eps\n"
                            "name: \"a: 'b' # \xc3\xa9\"\n"
                            "note: ~\n"
                            "ema: [0.999, 0.9999]\n"
                            "size: [64, -32]\n"
                            "sources:\n"
                            "  - set: emoji\n"
                            "    weight: 2\n"
                            "  - {set: 2024}\n"
                            "model: {layers: 12}\n"
                            "augment: [mirror, crop]\n";

static void check_whole(const struct recipe *r)
{
    assert_int_equal(r->steps, 60000);
    assert_int_equal(r->batch, 255);
    assert_true(r->seed == INT64_MIN);
    assert_true(r->lr == 1e-4 && r->decay == 0.5f && r->flip);
    assert_int_equal(r->kind, EPS);
    assert_string_equal(r->name, "a: 'b' # \xc3\xa9");
    assert_null(r->note);
    assert_int_equal(r->ema_count, 2);
    assert_true(r->ema[0] == 0.999 && r->ema[1] == 0.9999);
    assert_int_equal(r->size[0], 64);
    assert_int_equal(r->size[1], -32);
    assert_int_equal(r->sources_count, 2);
    assert_string_equal(r->sources[0].set, "emoji");
    assert_true(r->sources[0].weight == 2);
    assert_string_equal(r->sources[1].set, "2024");
    assert_true(r->sources[1].weight == 0);
    assert_int_equal(r->model.layers, 12);
    assert_int_equal(r->augment, 3);
}

static void recipes_become_structs(void **state)
{
    (void)state;
    dit_yaml *document = opened(whole, NULL, NULL, 0);
    struct recipe *recipe = loaded(document);
    check_whole(recipe);
    dit_yaml_free_data(&schema, recipe);
    dit_yaml_free_data(&schema, NULL);
    // What is written reads the same.
    char *text;
    size_t size;
    dit_error error = {0};
    dit_yaml_write(document, &text, &size, &error);
    assert_fine(error);
    assert_int_equal(strlen(text), size);
    assert_non_null(strstr(text, "ema: [0.999, 0.9999]\n"));
    dit_yaml_close(document);
    document = opened(text, NULL, NULL, 0);
    recipe = loaded(document);
    check_whole(recipe);
    dit_yaml_free_data(&schema, recipe);
    dit_yaml_close(document);
    free(text);
}

static void every_refusal_names_file_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *word;
    } cases[] = {
        {"steps: 1\nbtach: 2", "line 2", "\"btach\" is unknown; known here are: steps, batch, seed"},
        {"batch: 2", "line 1", "\"steps\" is missing"},
        {"steps: 1\nsteps: 2", "line 2", "the key \"steps\" is there already, at line 1"},
        {"steps: 1\nmodel: {layers: 1, layers: 1}", "line 2", "\"layers\" is there already"},
        {"steps: 1\nmodel: {}", "line 2", "\"model.layers\" is missing"},
        {"steps: 1\nmodel: {layers: 1, x: 1}", "line 2", "\"model.x\" is unknown; known here are: layers"},
        {"steps: 1\nmodel: [1]", "line 2", "\"model\" is a list of 1; it must be a mapping"},
        {"steps: 1\nmodel: 5", "line 2", "\"model\" is 5; it must be a mapping"},
        {"steps: true", "line 1", "\"steps\" is true; it must be an integer"},
        {"steps: yes", "line 1", "\"steps\" is the text \"yes\"; it must be an integer"},
        {"steps: '5'", "line 1", "\"steps\" is the text \"5\"; it must be an integer"},
        {"steps: 5.0", "line 1", "\"steps\" is 5.0; it must be an integer"},
        {"steps: 1e3", "line 1", "\"steps\" is 1e3; it must be an integer"},
        {"steps: 0x10", "line 1", "it must be an integer"},
        {"steps: 010", "line 1", "it must be an integer"},
        {"steps: 1_000", "line 1", "it must be an integer"},
        {"steps: 5 # fine\nbatch: 6 7", "line 2", "\"batch\" is the text \"6 7\"; it must be an integer"},
        {"steps:", "line 1", "\"steps\" is empty; it needs a value"},
        {"steps: ~", "line 1", "\"steps\" is empty"},
        {"steps: null", "line 1", "\"steps\" is empty"},
        {"steps: []", "line 1", "\"steps\" is a list of 0; it must be an integer"},
        {"steps: 2147483648", "line 1", "an integer from -2147483648 to 2147483647"},
        {"steps: -2147483649", "line 1", "an integer from -2147483648 to 2147483647"},
        {"steps: 99999999999999999999", "line 1", "an integer from -2147483648 to 2147483647"},
        {"steps: 1\nbatch: 256", "line 2", "an integer from 0 to 255"},
        {"steps: 1\nbatch: -1", "line 2", "an integer from 0 to 255"},
        {"steps: 1\nseed: 9223372036854775808", "line 2", "an integer from"},
        {"steps: 1\nlr: nan", "line 2", "\"lr\" is the text \"nan\"; it must be a finite number"},
        {"steps: 1\nlr: .nan", "line 2", "finite number"},
        {"steps: 1\nlr: .inf", "line 2", "finite number"},
        {"steps: 1\nlr: -.inf", "line 2", "finite number"},
        {"steps: 1\nlr: inf", "line 2", "finite number"},
        {"steps: 1\nlr: infinity", "line 2", "finite number"},
        {"steps: 1\nlr: 1e999", "line 2", "\"lr\" is 1e999; it must be a finite number"},
        {"steps: 1\nlr: -1e999", "line 2", "finite number"},
        {"steps: 1\nlr: true", "line 2", "\"lr\" is true; it must be a finite number"},
        {"steps: 1\nlr: \"1\"", "line 2", "finite number"},
        {"steps: 1\nlr: 0x1p3", "line 2", "finite number"},
        {"steps: 1\nlr: 1,5", "line 2", "finite number"},
        {"steps: 1\nlr: 1e", "line 2", "finite number"},
        {"steps: 1\nlr: .", "line 2", "finite number"},
        {"steps: 1\nlr: -", "line 2", "not allowed"},
        {"steps: 1\ndecay: 1e39", "line 2", "\"decay\" is 1e39; it must be a finite number of at most 3.40282e+38"},
        {"steps: 1\nflip: 1", "line 2", "\"flip\" is 1; it must be true or false"},
        {"steps: 1\nflip: yes", "line 2", "\"flip\" is the text \"yes\"; it must be true or false"},
        {"steps: 1\nflip: 'true'", "line 2", "it must be true or false"},
        {"steps: 1\nflip: maybe", "line 2", "it must be true or false"},
        {"steps: 1\nkind: 1", "line 2", "\"kind\" is 1; known are: flow, eps"},
        {"steps: 1\nkind: Flow", "line 2", "\"kind\" is the text \"Flow\"; known are: flow, eps"},
        {"steps: 1\nname: true", "line 2", "\"name\" is true; it must be a text"},
        {"steps: 1\nname: ", "line 2", "\"name\" is empty"},
        {"steps: 1\nname: ''", "line 2", "\"name\" has 0 bytes; it must have 1 to 20"},
        {"steps: 1\nname: 123456789012345678901", "line 2", "\"name\" has 21 bytes; it must have 1 to 20"},
        {"steps: 1\nname: {a: b}", "line 2", "\"name\" is a mapping; it must be a text"},
        {"steps: 1\nema: 0.9", "line 2", "\"ema\" is 0.9; it must be a list"},
        {"steps: 1\nema: [0.9,\n 0.9, 0.9, 0.9]", "line 2", "\"ema\" is a list of 4; it must have 0 to 3 items"},
        {"steps: 1\nema:\n - 0.9\n - false", "line 4", "\"ema.1\" is false; it must be a finite number"},
        {"steps: 1\nsize: [1]", "line 2", "\"size\" is a list of 1; it must have 2 to 2 items"},
        {"steps: 1\nsources:\n - set: a\n - weight: 1", "line 4", "\"sources.1.set\" is missing"},
        {"steps: 1\nsources:\n - set: a\n   weight: x", "line 4", "\"sources.0.weight\" is the text \"x\""},
        {"steps: 1\naugment: [mirror, flip]", "line 2", "\"augment.1\" is the text \"flip\"; known are: mirror, crop"},
        {"steps: 1\naugment: mirror", "line 2", "\"augment\" is the text \"mirror\"; it must be a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_yaml *document;
        dit_error error = {0};
        void *data;
        if (!dit_yaml_parse(&document, "recipe.yaml", cases[i].text, strlen(cases[i].text), NULL, NULL, 0, &error)) {
            if (!dit_yaml_load(document, &schema, &data, &error))
                print_error("accepted: %s\n", cases[i].text);
            dit_yaml_close(document);
        }
        assert_refused(&error, DIT_BAD_FILE, "recipe.yaml: ", cases[i].line, cases[i].word);
    }
}

static void malformed_documents_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"", "is empty"},
        {"\n# nothing\n", "is empty"},
        {"~", "is empty"},
        {"5", "line 1: the top level must be a mapping"},
        {"\n- 1\n- 2", "line 2: the top level must be a mapping"},
        {"a: [\n1", "did not find expected ',' or ']', while parsing a flow sequence from line 1 on"},
        {"a: 1\n b: 2", "line 2: mapping values are not allowed"},
        {"a: \"open\n\n", "line 3: found unexpected end of stream"},
        {"a:\n\t- 1", "line 2: "},
        {"a: &x 1\nb: *x", "line 1: anchors and tags are not supported"},
        {"a: *x", "line 1: aliases are not supported"},
        {"<<: *x", "line 1: aliases are not supported"},
        {"&x a: 1", "line 1: anchors and tags"},
        {"a: &x [*x]", "line 1: a"},
        {"a: !!int 5", "line 1: anchors and tags"},
        {"a: !python/object 5", "line 1: anchors and tags"},
        {"a: 1\n---\nb: 2", "line 2: a second document"},
        {"a: 1\n...\n...\nb: 2", "line 4"},
        {"? [a, b]\n: 1", "line 1: a key must be a text"},
        {"? {a: b}\n: 1", "line 1: a key must be a text"},
        {"'': 1", "line 1: a key is empty"},
        {"a: \"x\\0y\"", "line 1: a text holds a zero byte"},
        {"\"a\\0\": 1", "line 1: a key is empty or holds a zero byte"},
        {"a: \xff", "invalid"},
        {"a: \x01", "control characters are not allowed"},
        {"a: \xed\xa0\x80", "invalid"},
        {"%YAML 9.9\n---\na: 1", "incompatible YAML document"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_yaml *document;
        dit_error error = {0};
        if (!dit_yaml_parse(&document, "r.yaml", cases[i].text, strlen(cases[i].text), NULL, NULL, 0, &error))
            print_error("accepted: %s\n", cases[i].text);
        assert_refused(&error, DIT_BAD_FILE, "r.yaml", cases[i].word);
    }
}

static void floods_are_refused(void **state)
{
    (void)state;
    enum { SIZE = 2 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    static const struct {
        const char *unit, *word;
        size_t size;
    } floods[] = {
        {"[", "nested too deeply", 1 << 20},     {"{a: ", "nested too deeply", 1 << 20},
        {"- ", "nested too deeply", 1 << 20},    {"- 1\n", "too many values", 1 << 20},
        {"a: 1\n", "too many values", 1 << 20},  {"a", "has 2097152 bytes", SIZE},
        {"? ", "a key must be a text", 1 << 20}, {"\"", "line 1", (1 << 20) - 1},
    };
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        size_t unit = strlen(floods[i].unit);
        for (size_t j = 0; j < floods[i].size; j++)
            text[j] = floods[i].unit[j % unit];
        dit_yaml *document;
        dit_error error = {0};
        dit_yaml_parse(&document, "r.yaml", text, floods[i].size, NULL, NULL, 0, &error);
        assert_refused(&error, DIT_BAD_FILE, "r.yaml", floods[i].word);
    }
    free(text);
}

static void defaults_fill_what_is_missing(void **state)
{
    (void)state;
    static const char defaults[] = "steps: 10\nbatch: 4\nema: [0.5]\nmodel: {layers: 3}\nkind: eps\n";
    dit_yaml *document = opened("steps: 20\nema: [0.9, 0.8]\nmodel: {}\n", defaults, NULL, 0);
    struct recipe *r = loaded(document);
    assert_int_equal(r->steps, 20);
    assert_int_equal(r->batch, 4);
    assert_int_equal(r->ema_count, 2);
    assert_int_equal(r->model.layers, 3);
    assert_int_equal(r->kind, EPS);
    assert_true(dit_yaml_has(document, "model.layers"));
    assert_true(dit_yaml_has(document, "ema.1"));
    assert_false(dit_yaml_has(document, "ema.2"));
    assert_false(dit_yaml_has(document, "steps.x"));
    assert_false(dit_yaml_has(document, "note"));
    dit_yaml_free_data(&schema, r);
    dit_yaml_close(document);
    document = opened("note: null\n", "steps: true\n", NULL, 0);
    dit_error error = {0};
    void *data;
    dit_yaml_load(document, &schema, &data, &error);
    assert_refused(&error, DIT_BAD_FILE, "recipe.yaml: \"steps\" is true");
    assert_false(dit_yaml_has(document, "note"));
    dit_yaml_close(document);
}

static void overrides_set_values_before_the_check(void **state)
{
    (void)state;
    static const char *const overrides[] = {
        "steps=7",   "model.layers=9", "ema.1=0.25", "size=[1, 2]", "sources.0.set=x",
        "kind=flow", "name=a cat",     "note=first", "note=",       "sources.1={set: y, weight: 0.5}",
        "lr=1e-5"};
    dit_yaml *document = opened(whole, NULL, overrides, sizeof overrides / sizeof *overrides);
    struct recipe *r = loaded(document);
    assert_int_equal(r->steps, 7);
    assert_int_equal(r->model.layers, 9);
    assert_true(r->ema[1] == 0.25 && r->lr == 1e-5);
    assert_int_equal(r->size[1], 2);
    assert_string_equal(r->sources[0].set, "x");
    assert_true(r->sources[0].weight == 2);
    assert_true(r->sources[1].weight == 0.5f);
    assert_int_equal(r->kind, FLOW);
    assert_string_equal(r->name, "a cat");
    assert_null(r->note);
    dit_yaml_free_data(&schema, r);
    dit_yaml_close(document);

    static const char *const booleans[] = {"false", "False", "FALSE", "true", "True", "TRUE"};
    for (int i = 0; i < 6; i++) {
        char text[32];
        snprintf(text, sizeof text, "flip=%s", booleans[i]);
        document = opened(whole, NULL, (const char *const[]){text}, 1);
        r = loaded(document);
        assert_int_equal(r->flip, i >= 3);
        dit_yaml_free_data(&schema, r);
        dit_yaml_close(document);
    }

    static const char *const deep[] = {"model.layers=2"};
    document = opened("steps: 1\nmodel:\n", NULL, deep, 1);
    r = loaded(document);
    assert_int_equal(r->model.layers, 2);
    dit_yaml_free_data(&schema, r);
    dit_yaml_close(document);

    static const struct {
        const char *override, *word;
    } refused[] = {
        {"steps", "must be key.path=value"},
        {"=5", "must be key.path=value"},
        {"", "must be key.path=value"},
        {"model..layers=5", "a key is empty"},
        {".steps=5", "a key is empty"},
        {"model.=5", "a key is empty"},
        {"steps.x=5", "the path goes on below a value that is no mapping"},
        {"ema.7=5", "the list has no such item"},
        {"ema.x=5", "the list has no such item"},
        {"steps=[", "--set steps=[: "},
        {"steps=*a", "aliases are not supported"},
        {"steps={a: 1, a: 1}", "there already"},
        {"steps=true", "\"steps\" is true; it must be an integer"},
        {"steps=", "\"steps\" is empty"},
        {"stesp=5", "--set stesp=5: \"stesp\" is unknown"},
        {"model.x.y=5", "--set model.x.y=5: \"model.x\" is unknown"},
        {"ema=[1, x]", "--set ema=[1, x]: \"ema.1\" is the text \"x\""},
        {"steps=5\x1b[31m", "--set steps=5?[31m"},
        {"steps=\xff", "--set steps=?"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        dit_error error = {0};
        void *data;
        if (!dit_yaml_parse(&document, "recipe.yaml", whole, sizeof whole - 1, NULL, &refused[i].override, 1, &error)) {
            dit_yaml_load(document, &schema, &data, &error);
            dit_yaml_close(document);
        }
        assert_refused(&error, DIT_BAD_ARGUMENT, "--set ", refused[i].word);
    }
}

static void ranges_are_checked_by_path(void **state)
{
    (void)state;
    static const char *const overrides[] = {"batch=0"};
    dit_yaml *document = opened(whole, NULL, overrides, 1);
    dit_error error = {0};
    dit_yaml_check_range(document, "steps", 1, 60000, &error);
    dit_yaml_check_range(document, "nothing.there", 1, 2, &error);
    dit_yaml_check_range(document, "note", 1, 2, &error);
    dit_yaml_check_range(document, "ema.*", 0.5, 1, &error);
    dit_yaml_check_range(document, "sources.*.weight", 0, 2, &error);
    assert_fine(error);
#define REFUSES(status, path, least, most, ...)                                                                        \
    do {                                                                                                               \
        error = (dit_error){0};                                                                                        \
        dit_yaml_check_range(document, path, least, most, &error);                                                     \
        assert_refused(&error, status, __VA_ARGS__);                                                                   \
    } while (0)
    REFUSES(DIT_BAD_FILE, "steps", 1, 100, "recipe.yaml: line 2: \"steps\" is 60000; it must be from 1 to 100");
    REFUSES(DIT_BAD_FILE, "steps", 70000, INFINITY, "\"steps\" is 60000; it must be at least 70000");
    REFUSES(DIT_BAD_FILE, "lr", -INFINITY, 0, "line 5: \"lr\" is 1e-4; it must be at most 0");
    REFUSES(DIT_BAD_FILE, "ema.*", 0, 0.9995, "line 11: \"ema.*\" is 0.9999");
    REFUSES(DIT_BAD_FILE, "sources.*.weight", 0, 1, "line 15: \"sources.*.weight\" is 2");
    REFUSES(DIT_BAD_FILE, "name", 0, 1, "line 9: \"name\" is the text");
    REFUSES(DIT_BAD_ARGUMENT, "batch", 1, 64, "--set batch=0: \"batch\" is 0; it must be from 1 to 64");
#undef REFUSES
    error = (dit_error){0};
    dit_yaml_fail(document, "model.layers", &error, "is %d; the recipe needs an even number", 13);
    assert_refused(&error, DIT_BAD_FILE, "recipe.yaml: line 17: \"model.layers\" is 13; the recipe needs");
    error = (dit_error){0};
    dit_yaml_fail(document, "model.width", &error, "must be given with layers");
    assert_refused(&error, DIT_BAD_FILE, "recipe.yaml: line 17: \"model.width\" must be given");
    dit_yaml_close(document);
}

static void files_are_read_and_strange_ones_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_yaml *document;
    dit_error error = {0};
    write_file(scratch_path(&s, "r.yaml"), whole, sizeof whole - 1);
    dit_yaml_open(&document, s.path, NULL, NULL, 0, &error);
    assert_fine(error);
    struct recipe *r = loaded(document);
    check_whole(r);
    dit_yaml_free_data(&schema, r);
    dit_yaml_close(document);
    dit_yaml_open(&document, scratch_path(&s, "absent.yaml"), NULL, NULL, 0, &error);
    assert_refused(&error, DIT_NO_FILE, "absent.yaml: cannot open");
    error = (dit_error){0};
    dit_yaml_open(&document, s.folder, NULL, NULL, 0, &error);
    assert_refused(&error, DIT_NO_FILE, "is a folder");
    error = (dit_error){0};
    assert_int_equal(mkfifo(scratch_path(&s, "fifo.yaml"), 0600), 0);
    dit_yaml_open(&document, s.path, NULL, NULL, 0, &error);
    assert_refused(&error, DIT_NO_FILE, "not a regular file");
    error = (dit_error){0};
    dit_yaml_open(&document, "/dev/zero", NULL, NULL, 0, &error);
    assert_refused(&error, DIT_NO_FILE, "/dev/zero");
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipes_become_structs),          cmocka_unit_test(every_refusal_names_file_line_and_key),
        cmocka_unit_test(malformed_documents_are_refused), cmocka_unit_test(floods_are_refused),
        cmocka_unit_test(defaults_fill_what_is_missing),   cmocka_unit_test(overrides_set_values_before_the_check),
        cmocka_unit_test(ranges_are_checked_by_path),      cmocka_unit_test(files_are_read_and_strange_ones_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
