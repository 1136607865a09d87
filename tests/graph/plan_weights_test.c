// Plans under a memory bound: what stays, what is streamed, that results do not depend on it, and that the process
// really stays within it.
#include "base/memory.h"
#include "graph/ops.h"
#include "graph/plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "allocations.h"

enum {
    ROWS = 20,
    C = 1024,
    LAYERS = 24,
    VOCABULARY = 8192,
    MATRIX = C * C * 4, // bytes
};
#define TABLE ((size_t)VOCABULARY * C * 4)
#define FILE_BYTES (TABLE + (size_t)LAYERS * MATRIX)

// A file of weights, mapped as published ones are, and what was asked of it.
static struct {
    char *map;
    atomic_int prefetched, released;
} file;

static bool is_mapped(void *context, const dit_array *array)
{
    (void)context;
    return (char *)array->data >= file.map && (char *)array->data < file.map + FILE_BYTES;
}

static void release(void *context, const dit_array *array)
{
    (void)context;
    file.released++;
    assert_int_equal(madvise(array->data, dit_array_bytes(array), MADV_DONTNEED), 0);
}

static void prefetch(void *context, const dit_array *array)
{
    (void)context;
    file.prefetched++;
    madvise(array->data, dit_array_bytes(array), MADV_WILLNEED);
}

static int open_file(void **state)
{
    (void)state;
    char name[] = "/tmp/dit-weights-XXXXXX";
    int fd = mkstemp(name);
    float *block = malloc(MATRIX);
    unsigned seed = 1;
    if (fd < 0 || !block)
        return -1;
    unlink(name);
    for (int i = 0; i < C * C; i++) {
        seed = seed * 1664525u + 1013904223u;
        block[i] = ((float)(seed >> 8) * 0x1p-23f - 1) * 0.05f;
    }
    for (size_t at = 0; at < FILE_BYTES; at += MATRIX) {
        block[at / MATRIX] = 1; // no two are the same
        if (write(fd, block, MATRIX) != MATRIX)
            return -1;
    }
    free(block);
    file.map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    return file.map == MAP_FAILED ? -1 : 0;
}

static int close_file(void **state)
{
    (void)state;
    return munmap(file.map, FILE_BYTES);
}

// The name of layer i's weight: layers 3 and 4 share theirs, and so do 0 and the last one.
static int weight_of(int layer)
{
    return layer == 4 ? 3 : layer == LAYERS - 1 ? 0 : layer;
}

static dit_weights *open_weights(void)
{
    dit_error error = {0};
    dit_weights *weights = dit_weights_new();
    char name[16];
    dit_weights_add(weights, "table", (dit_array){DIT_F32, DIT_SHAPE(VOCABULARY, C), file.map}, false, &error);
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "w%d", i);
        dit_weights_add(weights, name, (dit_array){DIT_F32, DIT_SHAPE(C, C), file.map + TABLE + (size_t)i * MATRIX},
                        false, &error);
    }
    dit_weights_set_pager(weights, &(dit_weights_pager){NULL, is_mapped, release, prefetch});
    assert_string_equal(error.message, "");
    return weights;
}

// Rows of the table through the layers; every third layer reads few rows, which no kernel wants rearranged.
static dit_status plan_new(dit_weights *weights, dit_plan_options options, dit_plan **plan, dit_error *error)
{
    dit_graph *g = dit_graph_new(weights);
    dit_tensor ids = dit_input(g, "ids", DIT_I64, DIT_SHAPE(ROWS));
    dit_tensor x =
        dit_embedding(g, dit_parameter(g, "table", DIT_SHAPE(VOCABULARY, C), DIT_INITIAL_ZEROS), ids); // (ROWS, C)
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", weight_of(i));
        dit_tensor w = dit_parameter(g, name, DIT_SHAPE(C, C), DIT_INITIAL_ZEROS);
        x = i % 3 == 1 ? dit_concat(g,
                                    (dit_tensor[]){dit_linear(g, dit_slice(g, x, 0, 0, 4, 1), w, DIT_NONE),
                                                   dit_slice(g, x, 0, 4, ROWS - 4, 1)},
                                    2, 0)
                       : dit_linear(g, x, w, DIT_NONE);
    }
    dit_output(g, "y", x);
    assert_string_equal(dit_graph_error(g)->message, "");
    *plan = NULL;
    dit_status status = dit_plan_new(g, weights, &options, plan, error);
    dit_graph_free(g);
    return status;
}

static void run(dit_plan *plan, float y[ROWS * C])
{
    dit_error error = {0};
    int64_t *ids = dit_plan_input(plan, "ids").data;
    for (int i = 0; i < ROWS; i++)
        ids[i] = i * (VOCABULARY - 1) / (ROWS - 1);
    assert_int_equal(dit_plan_run(plan, NULL, NULL, &error), DIT_OK);
    memcpy(y, dit_plan_output(plan, "y").data, ROWS * C * sizeof *y);
}

static const dit_plan_options frozen = {.frozen = true};

static size_t least_memory(void)
{
    dit_error error = {0};
    dit_plan *plan;
    dit_weights *weights = open_weights();
    dit_plan_options options = {.frozen = true, .figures_only = true};
    int released = file.released;
    assert_int_equal(plan_new(weights, options, &plan, &error), DIT_OK);
    size_t least = dit_plan_figures_of(plan).least_memory;
    assert_int_equal(dit_plan_figures_of(plan).weight_bytes, TABLE + (size_t)(LAYERS - 2) * MATRIX);
    assert_int_equal(file.released, released); // figures need no weights
    dit_plan_free(plan);
    dit_weights_free(weights);
    return least;
}

static void what_does_not_fit_is_streamed_and_gives_the_same_results(void **state)
{
    (void)state;
    static float whole[ROWS * C], part[ROWS * C];
    dit_error error = {0};
    dit_plan *plan;
    size_t least = least_memory();
    dit_weights *weights = open_weights();
    assert_int_equal(plan_new(weights, frozen, &plan, &error), DIT_OK);
    assert_int_equal(dit_plan_figures_of(plan).streamed_bytes, 0);
    run(plan, whole);
    dit_plan_free(plan);
    dit_weights_free(weights);
    // From nothing kept to everything.
    for (int kept = 0; kept <= LAYERS; kept += 6) {
        weights = open_weights();
        dit_plan_options options = {.frozen = true, .memory = least + (size_t)kept * MATRIX};
        assert_int_equal(plan_new(weights, options, &plan, &error), DIT_OK);
        dit_plan_figures f = dit_plan_figures_of(plan);
        assert_true(f.arena_bytes + f.kept_bytes + f.passing_bytes <= options.memory);
        assert_true(f.kept_bytes + 2 * (size_t)MATRIX > (size_t)(kept < LAYERS - 2 ? kept : LAYERS - 2) * MATRIX);
        assert_int_equal(f.streamed_bytes == 0, kept == LAYERS);
        for (int again = 0; again < 2; again++) {
            memset(part, 0, sizeof part);
            int released = file.released;
            run(plan, part);
            // The table's rows and every use of a matrix that does not stay; two of them are used twice.
            int uses = (int)(f.streamed_bytes / MATRIX);
            assert_int_equal(file.released - released, uses + 1);
            for (int i = 0; i < ROWS * C; i++)
                assert_float_equal(part[i], whole[i], 1e-5);
        }
        dit_plan_free(plan);
        dit_weights_free(weights);
    }
}

static void reading_goes_ahead_of_the_first_step(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_plan *plan;
    dit_plan_options options = {.frozen = true, .memory = least_memory()};
    dit_weights *weights = open_weights();
    file.prefetched = 0;
    assert_int_equal(plan_new(weights, options, &plan, &error), DIT_OK);
    // All matrices together are less than the window, so all are asked for before anything runs, and none twice.
    for (int i = 0; i < 1000 && file.prefetched < LAYERS; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(file.prefetched, LAYERS);
    dit_plan_free(plan);
    dit_weights_free(weights);
}

static bool after_four(void *context)
{
    int *left = context;
    return (*left)-- == 0;
}

static void a_cancelled_run_can_be_followed_by_a_whole_one(void **state)
{
    (void)state;
    static float one[ROWS * C], other[ROWS * C];
    dit_error error = {0};
    dit_plan *plan;
    dit_plan_options options = {.frozen = true, .memory = least_memory()};
    dit_weights *weights = open_weights();
    assert_int_equal(plan_new(weights, options, &plan, &error), DIT_OK);
    run(plan, one);
    for (int steps = 0; steps < 12; steps += 5) {
        int left = steps;
        dit_error stopped = {0};
        assert_int_equal(dit_plan_run(plan, after_four, &left, &stopped), DIT_CANCELLED);
        run(plan, other);
        assert_memory_equal(one, other, sizeof one);
    }
    dit_plan_free(plan);
    dit_weights_free(weights);
}

static void a_bound_that_is_too_small_says_what_is_needed(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_plan *plan;
    dit_plan_options options = {.frozen = true, .memory = least_memory() - 1};
    dit_weights *weights = open_weights();
    assert_int_equal(plan_new(weights, options, &plan, &error), DIT_NO_MEMORY);
    assert_non_null(strstr(error.message, "needs"));
    assert_null(plan);
    dit_weights_free(weights);
}

// A second plan takes over what the first one rearranged, and under a smaller bound lets go of it.
static void plans_that_follow_each_other_share_what_stays(void **state)
{
    (void)state;
    static float one[ROWS * C], other[ROWS * C];
    dit_error error = {0};
    dit_plan *first, *second;
    dit_plan_options small = {.frozen = true, .memory = least_memory()};
    dit_weights *weights = open_weights();
    assert_int_equal(plan_new(weights, frozen, &first, &error), DIT_OK);
    assert_non_null(dit_weights_find(weights, "w2")->prepared);
    run(first, one);
    // While the first plan is there, its weights stay whatever the bound, and cost the second one nothing.
    assert_int_equal(plan_new(weights, small, &second, &error), DIT_OK);
    assert_non_null(dit_weights_find(weights, "w2")->prepared);
    run(second, other);
    assert_memory_equal(one, other, sizeof one);
    dit_plan_free(second);
    run(first, other);
    assert_memory_equal(one, other, sizeof one);
    dit_plan_free(first);
    // The weights still in memory count towards what a caller has left; the plan adds what it lets go of.
    small.memory = 1;
    assert_int_equal(plan_new(weights, small, &second, &error), DIT_OK);
    dit_plan_figures f = dit_plan_figures_of(second);
    assert_true(f.kept_bytes < (size_t)LAYERS * MATRIX);
    int still = 0;
    for (int i = 0; i < dit_weights_count(weights); i++)
        still += dit_weights_at(weights, i)->prepared != NULL;
    assert_true((size_t)still * MATRIX <= f.kept_bytes);
    run(second, other);
    for (int i = 0; i < ROWS * C; i++)
        assert_float_equal(other[i], one[i], 1e-5);
    dit_plan_free(second);
    dit_weights_free(weights);
}

static void a_streaming_run_allocates_nothing(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); // the sanitizer owns the allocator
#else
    static float y[ROWS * C];
    dit_error error = {0};
    dit_plan *plan;
    dit_plan_options options = {.frozen = true, .memory = least_memory() + 3 * (size_t)MATRIX};
    dit_weights *weights = open_weights();
    assert_int_equal(plan_new(weights, options, &plan, &error), DIT_OK);
    run(plan, y);
    long before = allocations;
    run(plan, y);
    assert_int_equal(allocations, before);
    dit_plan_free(plan);
    dit_weights_free(weights);
#endif
}

// First in the list: the peak is the process's, and this is its smallest.
static void the_process_stays_within_the_bound(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); // it takes memory of its own
#else
    static float y[ROWS * C];
    dit_error error = {0};
    dit_plan *plan;
    dit_weights *weights = open_weights();
    size_t before = dit_memory_resident();
    dit_plan_options options = {.frozen = true, .memory = least_memory() + 4 * (size_t)MATRIX};
    assert_true(before > 0);
    assert_true(options.memory < FILE_BYTES / 2);
    assert_true(dit_memory_peak() <= before + (8 << 20));
    assert_int_equal(plan_new(weights, options, &plan, &error), DIT_OK);
    run(plan, y);
    run(plan, y);
    assert_in_range(dit_memory_peak(), before, before + options.memory + (8 << 20)); // stacks, the caller's own
    dit_plan_free(plan);
    dit_weights_free(weights);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_stays_within_the_bound),
        cmocka_unit_test(what_does_not_fit_is_streamed_and_gives_the_same_results),
        cmocka_unit_test(reading_goes_ahead_of_the_first_step),
        cmocka_unit_test(a_cancelled_run_can_be_followed_by_a_whole_one),
        cmocka_unit_test(a_bound_that_is_too_small_says_what_is_needed),
        cmocka_unit_test(plans_that_follow_each_other_share_what_stays),
        cmocka_unit_test(a_streaming_run_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, open_file, close_file);
}
