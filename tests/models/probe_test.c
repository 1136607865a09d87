// tests/models/probe_test.c: gradients of networks whose output is a list.
#include "../io/support.h"
#include "distance.h"
#include "models/probe.h"
#include <unistd.h>

#define FIXTURE DIT_SOURCE_DIR "/tests/fixtures/models/z_image/z-image"
enum { ROOM = 8 };

// Tensors of fixture files, to be written under other names.
struct fixture {
    dit_safetensors *inputs, *outputs, *grads;
};

static void open_fixture(struct fixture *f)
{
    dit_error error = {0};
    dit_safetensors_open(&f->inputs, FIXTURE "/inputs.safetensors", &error);
    assert_fine(error);
    dit_safetensors_open(&f->outputs, FIXTURE "/outputs.safetensors", &error);
    assert_fine(error);
    dit_safetensors_open(&f->grads, FIXTURE "/grads.safetensors", &error);
    assert_fine(error);
}

static void close_fixture(struct fixture *f)
{
    dit_safetensors_close(f->inputs);
    dit_safetensors_close(f->outputs);
    dit_safetensors_close(f->grads);
}

static dit_array get(dit_safetensors *set, const char *name)
{
    dit_array array;
    dit_error error = {0};
    dit_safetensors_get(set, name, &array, &error);
    assert_fine(error);
    return array;
}

// Arguments of the fixture's two samples, `first` of them (0 or 1) in the first place, and room for targets.
static int arguments(const struct fixture *f, int first, float time[2], dit_safetensors_item items[ROOM])
{
    static const char *const pictures[] = {"x.0", "x.1"}, *const captions[] = {"cap_feats.0", "cap_feats.1"};
    int count = 0;
    dit_array t = get(f->inputs, "t");
    for (int i = 0; i < 2; i++) {
        int from = i ^ first;
        dit_array x = get(f->inputs, pictures[from]), caption = get(f->inputs, captions[from]);
        items[count++] = (dit_safetensors_item){pictures[i], x.dtype, x.shape, x.data};
        items[count++] = (dit_safetensors_item){captions[i], caption.dtype, caption.shape, caption.data};
        time[i] = ((const float *)t.data)[from];
    }
    items[count++] = (dit_safetensors_item){"t", t.dtype, t.shape, time};
    return count;
}

static void add(dit_safetensors_item items[ROOM], int *count, const char *name, const dit_array *a)
{
    items[(*count)++] = (dit_safetensors_item){name, a->dtype, a->shape, a->data};
}

static dit_status run(dit_probe *p, scratch *s, const dit_safetensors_item *items, int count, dit_error *error)
{
    const dit_probe_options options = {.dtype = DIT_F32, .gradient = true};
    dit_safetensors_write(scratch_path(s, "in"), items, (size_t)count, NULL, 0, NULL, NULL, error);
    assert_fine(*error);
    if (!dit_probe_open(p, FIXTURE, scratch_path(s, "in"), &options, error))
        dit_probe_run(p, NULL, NULL, error);
    return error->status;
}

// The largest distance of a gradient from `scale` times the fixture's, in parts of the largest gradient there is.
static double distance_from_fixture(const dit_probe *p, const struct fixture *f, double scale)
{
    double largest = 0, worst = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < p->count; i++) {
            dit_array found = dit_plan_output(p->plan, p->names[i]), wanted = get(f->grads, p->names[i]);
            if (!pass)
                largest = fmax(largest, scale * largest_of(&wanted));
            for (int64_t k = 0, n = dit_shape_count(&wanted.shape); pass && k < n; k++)
                worst = fmax(worst, fabs(dit_element_get(found.dtype, found.data, k) -
                                         scale * dit_element_get(wanted.dtype, wanted.data, k)));
        }
    assert_true(largest > 0);
    return worst / largest;
}

// The fixture's gradients are those of its first sample. Where the other one meets its target they are the list's, by
// the share of values that the first one has, whichever place it is in.
static void the_mean_is_over_the_whole_list(void **state)
{
    (void)state;
    static const char *const names[] = {"target.0", "target.1"};
    scratch s;
    struct fixture f;
    scratch_make(&s);
    open_fixture(&f);
    dit_array target = get(f.inputs, "target"), other = get(f.outputs, "sample.1");
    double values = (double)dit_shape_count(&target.shape), share = values / (values + dit_shape_count(&other.shape));
    for (int first = 0; first < 2; first++) {
        dit_safetensors_item items[ROOM];
        dit_probe p;
        dit_error error = {0};
        float time[2];
        int count = arguments(&f, first, time, items);
        add(items, &count, names[first], &target);
        add(items, &count, names[1 - first], &other);
        run(&p, &s, items, count, &error);
        assert_fine(error);
        hold("gradients", first ? "in the second place" : "in the first place", distance_from_fixture(&p, &f, share),
             1e-5);
        dit_probe_close(&p);
    }
    close_fixture(&f);
    scratch_remove(&s);
}

// Of a sample that stands there twice, with one target that stacks two: the same gradients as of the list of both.
static void one_target_may_stack_the_list(void **state)
{
    (void)state;
    scratch s;
    struct fixture f;
    dit_probe stacked, listed;
    dit_error error = {0};
    scratch_make(&s);
    open_fixture(&f);
    dit_array target = get(f.inputs, "target"), x = get(f.inputs, "x.0"), caption = get(f.inputs, "cap_feats.0"), both;
    dit_array t = get(f.inputs, "t");
    const dit_shape shape =
        DIT_SHAPE(2, target.shape.dim[0], target.shape.dim[1], target.shape.dim[2], target.shape.dim[3]);
    dit_array_alloc(&both, DIT_F32, shape, &error);
    assert_fine(error);
    size_t bytes = dit_array_bytes(&target);
    memcpy(both.data, target.data, bytes);
    memcpy((char *)both.data + bytes, x.data, bytes); // another target for the second
    dit_array second = {.dtype = DIT_F32, .shape = target.shape, .data = (char *)both.data + bytes};
    dit_safetensors_item items[ROOM];
    int count = 0;
    add(items, &count, "x.0", &x);
    add(items, &count, "x.1", &x);
    add(items, &count, "cap_feats.0", &caption);
    add(items, &count, "cap_feats.1", &caption);
    add(items, &count, "t", &t);
    add(items, &count, "target", &both);
    run(&stacked, &s, items, count--, &error);
    assert_fine(error);
    add(items, &count, "target.0", &target);
    add(items, &count, "target.1", &second);
    run(&listed, &s, items, count, &error);
    assert_fine(error);
    assert_int_equal(stacked.count, listed.count);
    for (int i = 0; i < listed.count; i++) {
        dit_array a = dit_plan_output(stacked.plan, listed.names[i]), b = dit_plan_output(listed.plan, listed.names[i]);
        assert_memory_equal(a.data, b.data, dit_array_bytes(&b));
    }
    dit_probe_close(&stacked);
    dit_probe_close(&listed);
    free(both.data);
    close_fixture(&f);
    scratch_remove(&s);
}

static void a_list_of_targets_lacks_none_and_fits(void **state)
{
    (void)state;
    scratch s;
    struct fixture f;
    dit_probe p;
    dit_error error = {0};
    dit_safetensors_item items[ROOM];
    float time[2];
    scratch_make(&s);
    open_fixture(&f);
    dit_array target = get(f.inputs, "target");
    int count = arguments(&f, 0, time, items);
    add(items, &count, "target.0", &target);
    run(&p, &s, items, count, &error);
    assert_refused(&error, DIT_BAD_FILE, "lacks a tensor `target.1`");
    dit_probe_close(&p);
    error = (dit_error){0};
    add(items, &count, "target.1", &target);
    run(&p, &s, items, count, &error);
    assert_refused(&error, DIT_BAD_FILE, "another shape than a tensor `target.1`");
    dit_probe_close(&p);
    close_fixture(&f);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mean_is_over_the_whole_list),
        cmocka_unit_test(one_target_may_stack_the_list),
        cmocka_unit_test(a_list_of_targets_lacks_none_and_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
