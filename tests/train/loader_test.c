// tests/train/loader_test.c: batches depend on set, options and step alone, and nothing is lost or doubled.
#include "support.h"
#include "train/loader.h"
#include "train/order.h"

enum { SAMPLES = 23, BATCH = 6, STEPS = 12, SIZE = 8, FLOATS = 3 * SIZE * SIZE };

static const dit_loader_options usual = {
    .picture = {.size = SIZE,
                .channels = 3,
                .background = {255, 255, 255},
                .augmentation = {.mirror = true, .crop = 0.3, .margin = 0.2, .contrast = 0.1}},
    .batch = BATCH,
    .seed = 5,
};

struct record {
    size_t sample[STEPS][BATCH];
    float pictures[STEPS][BATCH * FLOATS];
};

static void record_from(const dit_dataset *set, const dit_loader_options *o, int from, struct record *r)
{
    dit_error error = {0};
    dit_loader *loader;
    dit_batch batch;
    assert_int_equal(dit_loader_new(&loader, set, o, (uint64_t)from, &error), DIT_OK);
    for (int step = from; step < STEPS; step++) {
        assert_int_equal(dit_loader_next(loader, &batch, &error), DIT_OK);
        assert_int_equal(batch.step, step);
        assert_int_equal(batch.count, o->batch);
        memcpy(r->sample[step], batch.sample, (size_t)o->batch * sizeof(size_t));
        memcpy(r->pictures[step], batch.pictures, (size_t)o->batch * FLOATS * sizeof(float));
    }
    dit_loader_free(loader);
}

static void timing_and_cache_change_nothing(void **state)
{
    (void)state;
    static struct record first, other;
    scratch s;
    scratch_make(&s);
    make_captioned(&s, SAMPLES);
    dit_dataset *set = opened(s.folder, NULL);
    record_from(set, &usual, 0, &first);
    const struct {
        int threads, ahead, from;
        size_t cache;
    } cases[] = {{1, 1, 0, 0}, {7, 5, 0, 0}, {3, 2, 0, 1}, {2, 3, 0, 600}, {2, 2, 7, 0}, {4, 1, STEPS - 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_loader_options o = usual;
        o.threads = cases[i].threads, o.ahead = cases[i].ahead, o.cache_bytes = cases[i].cache;
        memcpy(&other, &first, sizeof other);
        memset(&other.pictures[cases[i].from], 0, sizeof other.pictures[0] * (size_t)(STEPS - cases[i].from));
        record_from(set, &o, cases[i].from, &other);
        assert_memory_equal(&first, &other, sizeof first);
    }
    dit_loader_options o = usual;
    o.seed = 6;
    record_from(set, &o, 0, &other);
    assert_memory_not_equal(&first, &other, sizeof first);
    dit_dataset_close(set);
    remove_tree(&s);
}

static void ranks_share_the_steps_of_one(void **state)
{
    (void)state;
    static struct record whole, half;
    scratch s;
    scratch_make(&s);
    make_captioned(&s, SAMPLES);
    dit_dataset *set = opened(s.folder, NULL);
    record_from(set, &usual, 0, &whole);
    for (int rank = 0; rank < 2; rank++) {
        dit_loader_options o = usual;
        o.batch = BATCH / 2, o.first = rank * BATCH / 2, o.step_batch = BATCH;
        record_from(set, &o, 0, &half);
        for (int step = 0; step < STEPS; step++) {
            assert_memory_equal(half.sample[step], whole.sample[step] + o.first, (size_t)o.batch * sizeof(size_t));
            assert_memory_equal(half.pictures[step], whole.pictures[step] + o.first * FLOATS,
                                (size_t)o.batch * FLOATS * sizeof(float));
        }
    }
    dit_dataset_close(set);
    remove_tree(&s);
}

static void an_epoch_has_every_sample_once(void **state)
{
    (void)state;
    int moved = 0;
    for (uint64_t count = 1; count < 200; count += 37)
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            int seen[200] = {0};
            for (uint64_t i = 0; i < count; i++) {
                uint64_t sample = dit_order_sample(9, count, epoch * count + i);
                assert_true(sample < count);
                seen[sample]++;
                moved += epoch > 0 && sample != dit_order_sample(9, count, i);
            }
            for (uint64_t i = 0; i < count; i++)
                assert_int_equal(seen[i], 1);
        }
    assert_true(moved > 700); // of 2 x 558: epochs have orders of their own
}

static void the_unreadable_sample_is_named(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    make_captioned(&s, SAMPLES);
    size_t victim = (size_t)dit_order_sample(usual.seed, SAMPLES, 2 * BATCH + 3);
    char name[32];
    snprintf(name, sizeof name, "%zu.png", victim);
    write_text(scratch_path(&s, name), "\x89PNG\r\n\x1a\n no more");
    dit_dataset *set = opened(s.folder, NULL);
    dit_error error = {0};
    dit_loader *loader;
    dit_batch batch;
    assert_int_equal(dit_loader_new(&loader, set, &usual, 0, &error), DIT_OK);
    for (int step = 0; step < 2; step++)
        assert_int_equal(dit_loader_next(loader, &batch, &error), DIT_OK);
    assert_int_not_equal(dit_loader_next(loader, &batch, &error), DIT_OK);
    assert_refused(&error, DIT_BAD_FILE, name);
    dit_loader_free(loader);
    dit_dataset_close(set);
    remove_tree(&s);
}

static void a_loader_ends_at_any_moment(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    make_captioned(&s, SAMPLES);
    dit_dataset *set = opened(s.folder, NULL);
    for (int taken = 0; taken < 20; taken++) {
        dit_error error = {0};
        dit_loader *loader;
        dit_batch batch;
        dit_loader_options o = usual;
        o.threads = 1 + taken % 4, o.ahead = 1 + taken % 3;
        assert_int_equal(dit_loader_new(&loader, set, &o, (uint64_t)taken, &error), DIT_OK);
        for (int i = 0; i < taken % 5; i++)
            assert_int_equal(dit_loader_next(loader, &batch, &error), DIT_OK);
        dit_loader_free(loader);
    }
    dit_dataset_close(set);
    remove_tree(&s);
}

static void a_sample_read_alone_is_the_loaders_without_chance(void **state)
{
    (void)state;
    static struct record r;
    scratch s;
    scratch_make(&s);
    make_captioned(&s, SAMPLES);
    dit_dataset *set = opened(s.folder, NULL);
    dit_loader_options o = usual;
    o.picture.augmentation = (dit_augmentation){0};
    record_from(set, &o, 0, &r);
    float planes[FLOATS];
    dit_error error = {0};
    for (int i = 0; i < BATCH; i++) {
        assert_int_equal(dit_loader_read(set, r.sample[0][i], &usual.picture, planes, &error), DIT_OK);
        assert_memory_equal(planes, r.pictures[0] + i * FLOATS, sizeof planes);
        assert_true(planes[2 * SIZE * SIZE] == (float)r.sample[0][i] / 255 * 2 - 1); // blue is the number
    }
    dit_dataset_close(set);
    remove_tree(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timing_and_cache_change_nothing),
        cmocka_unit_test(ranks_share_the_steps_of_one),
        cmocka_unit_test(an_epoch_has_every_sample_once),
        cmocka_unit_test(the_unreadable_sample_is_named),
        cmocka_unit_test(a_loader_ends_at_any_moment),
        cmocka_unit_test(a_sample_read_alone_is_the_loaders_without_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
