// tests/nn/sequence_test.c: segments joined into one sequence come apart again, and see each other as they say.
#include "../io/support.h"
#include "graph/plan.h"
#include "nn/sequence.h"
#include <math.h>

enum { B = 2, C = 8, MOST = 4 };

// Values that differ everywhere, made again by whoever knows the segment.
static float token(int segment, int64_t b, int64_t t, int64_t c)
{
    return (float)(1000 * segment + 100 * b + 10 * t) + (float)c * 0.5f;
}

static dit_tensor tokens_of(dit_graph *g, int segment, int64_t T)
{
    float values[B * 16 * C];
    for (int64_t i = 0; i < B * T * C; i++)
        values[i] = token(segment, i / (T * C), i / C % T, i % C);
    return dit_constant(g, DIT_F32, DIT_SHAPE(B, T, C), values);
}

// Runs the graph for its outputs; close with dit_plan_free.
static dit_plan *run(dit_graph *g)
{
    dit_plan *plan = NULL;
    dit_error error = {0};
    dit_plan_new(g, NULL, NULL, &plan, &error);
    assert_fine(error);
    dit_plan_run(plan, NULL, NULL, &error);
    assert_fine(error);
    return plan;
}

static void segments_come_apart_as_they_were_joined(void **state)
{
    (void)state;
    const int64_t T[] = {3, 1, 5};
    nn_segment segments[3] = {0};
    dit_graph *g = dit_graph_new(NULL);
    segments[0].positions = nn_grid_positions(g, 3, 1, 1, (float[]){0, 0, 0});
    segments[2].positions = nn_grid_positions(g, 1, 1, 5, (float[]){7, -2, 0.5f});
    for (int i = 0; i < 3; i++)
        segments[i].tokens = tokens_of(g, i, T[i]);
    nn_sequence s = nn_sequence_join(g, segments, 3);
    assert_true(dit_is_none(s.mask));
    dit_output(g, "tokens", s.tokens);
    dit_output(g, "positions", s.positions);
    for (int i = 0; i < 3; i++)
        dit_output(g, (const char *[]){"0", "1", "2"}[i], nn_sequence_part(g, &s, s.tokens, i));
    dit_plan *plan = run(g);
    dit_array joined = dit_plan_output(plan, "tokens"), positions = dit_plan_output(plan, "positions");
    assert_true(dit_shape_equal(&joined.shape, &DIT_SHAPE(B, 9, C)));
    for (int i = 0; i < 3; i++) {
        dit_array part = dit_plan_output(plan, (const char *[]){"0", "1", "2"}[i]);
        assert_true(dit_shape_equal(&part.shape, &DIT_SHAPE(B, T[i], C)));
        for (int64_t n = 0; n < B * T[i] * C; n++) {
            int64_t b = n / (T[i] * C), t = n / C % T[i], c = n % C;
            assert_true(((float *)part.data)[n] == token(i, b, t, c));
            assert_true(((float *)joined.data)[(b * 9 + s.start[i] + t) * C + c] == token(i, b, t, c));
        }
    }
    const float wanted[9][3] = {{0, 0, 0},     {1, 0, 0},     {2, 0, 0},     {0, 0, 0},    {7, -2, 0.5f},
                                {7, -2, 1.5f}, {7, -2, 2.5f}, {7, -2, 3.5f}, {7, -2, 4.5f}};
    assert_true(dit_shape_equal(&positions.shape, &DIT_SHAPE(9, 3)));
    assert_memory_equal(positions.data, wanted, sizeof wanted);
    dit_plan_free(plan);
    dit_graph_free(g);
}

static void grids_count_frames_over_rows_over_columns(void **state)
{
    (void)state;
    dit_graph *g = dit_graph_new(NULL);
    dit_output(g, "p", nn_grid_positions(g, 2, 2, 3, (float[]){10, 20, 30}));
    dit_plan *plan = run(g);
    const float *p = dit_plan_output(plan, "p").data;
    for (int t = 0; t < 2; t++)
        for (int y = 0; y < 2; y++)
            for (int x = 0; x < 3; x++, p += 3)
                assert_true(p[0] == (float)(10 + t) && p[1] == (float)(20 + y) && p[2] == (float)(30 + x));
    dit_plan_free(plan);
    dit_graph_free(g);
}

// One list of segments: lengths, roles, who may see them, and which have padding.
struct list {
    int count;
    int64_t T[MOST];
    int role[MOST];
    unsigned visible_to[MOST];
    bool padded[MOST];
    int64_t mask_shape[4]; // B and S stand for themselves; all zero: no mask
};

static bool is_open(int segment, int64_t b, int64_t t)
{
    return (segment + b + t) % 3 != 0;
}

static nn_sequence join(dit_graph *g, const struct list *l, nn_segment *segments)
{
    for (int i = 0; i < l->count; i++) {
        uint8_t padding[B * 16];
        for (int64_t n = 0; n < B * l->T[i]; n++)
            padding[n] = is_open(i, n / l->T[i], n % l->T[i]);
        segments[i] = (nn_segment){.tokens = tokens_of(g, i, l->T[i]), .role = l->role[i]};
        segments[i].visible_to = l->visible_to[i];
        if (l->padded[i])
            segments[i].padding = dit_constant(g, DIT_BOOL, DIT_SHAPE(B, l->T[i]), padding);
    }
    return nn_sequence_join(g, segments, l->count);
}

static int segment_at(const nn_sequence *s, int64_t t)
{
    int i = 0;
    while (s->start[i + 1] <= t)
        i++;
    return i;
}

// The definition: a key is seen unless it is padding, by the roles that its segment is visible to.
static bool may_see(const struct list *l, const nn_sequence *s, int64_t b, int64_t query, int64_t key)
{
    int q = segment_at(s, query), k = segment_at(s, key);
    bool padding = l->padded[k] && !is_open(k, b, key - s->start[k]);
    return !padding && (l->visible_to[k] == 0 || (l->visible_to[k] >> l->role[q] & 1) == 1);
}

static const struct list lists[] = {
    {3, {4, 2, 3}, {0, 1, 2}, {0, 0, 0}, {false, false, false}, {0, 0, 0, 0}},
    {2, {5, 3}, {0, 1}, {0, 0}, {true, false}, {B, 1, 1, 8}},
    // Text sees itself alone, a picture sees all.
    {2, {3, 4}, {0, 1}, {0, 1u << 1}, {false, false}, {1, 1, 7, 7}},
    // A reference is seen by the picture and itself, the text by all; both kinds of mask; the same role twice.
    {4,
     {3, 4, 2, 2},
     {0, 1, 2, 2},
     {0, 1u << 1, 1u << 1 | 1u << 2, 1u << 2},
     {true, false, true, false},
     {B, 1, 11, 11}},
    {1, {6}, {31}, {1u << 31}, {true}, {B, 1, 1, 6}},
    // Seen by nobody that is there.
    {2, {2, 2}, {0, 1}, {1u << 5, 0}, {false, false}, {1, 1, 4, 4}},
};
enum { LISTS = sizeof lists / sizeof *lists };

static void masks_say_who_sees_whom(void **state)
{
    (void)state;
    for (int n = 0; n < LISTS; n++) {
        const struct list *l = &lists[n];
        nn_segment segments[MOST];
        dit_graph *g = dit_graph_new(NULL);
        nn_sequence s = join(g, l, segments);
        int64_t S = s.start[l->count];
        assert_int_equal(dit_is_none(s.mask), l->mask_shape[0] == 0);
        if (dit_is_none(s.mask)) {
            dit_graph_free(g);
            continue;
        }
        dit_shape shape = *dit_shape_of(g, s.mask);
        assert_true(dit_shape_equal(
            &shape, &DIT_SHAPE(l->mask_shape[0], l->mask_shape[1], l->mask_shape[2], l->mask_shape[3])));
        dit_output(g, "mask", s.mask);
        dit_plan *plan = run(g);
        const uint8_t *mask = dit_plan_output(plan, "mask").data;
        for (int64_t b = 0; b < B; b++)
            for (int64_t q = 0; q < S; q++)
                for (int64_t k = 0; k < S; k++) {
                    int64_t row = (shape.dim[0] == 1 ? 0 : b) * shape.dim[2] + (shape.dim[2] == 1 ? 0 : q);
                    assert_int_equal(mask[row * S + k], may_see(l, &s, b, q, k));
                }
        dit_plan_free(plan);
        dit_graph_free(g);
    }
}

// Attention over a joined sequence gives the text, which sees itself alone, what it gives the text by itself; and what
// padding holds does not matter.
static void what_is_not_seen_does_not_matter(void **state)
{
    (void)state;
    float text[2][B * 3 * C], picture[2][B * 4 * C], *out[2];
    dit_plan *plan[2];
    for (int64_t i = 0; i < B * 3 * C; i++)
        text[0][i] = text[1][i] = sinf((float)i);
    for (int64_t i = 0; i < B * 4 * C; i++)
        picture[0][i] = cosf((float)i), picture[1][i] = -3 * picture[0][i];
    for (int64_t c = 0; c < C; c++)
        text[1][2 * C + c] = 100; // the padding of the first sample
    for (int other = 0; other < 2; other++) {
        dit_graph *g = dit_graph_new(NULL);
        const nn_segment segments[] = {
            {.tokens = dit_constant(g, DIT_F32, DIT_SHAPE(B, 3, C), text[other]),
             .padding = dit_constant(g, DIT_BOOL, DIT_SHAPE(B, 3), (const uint8_t[]){1, 1, 0, 1, 1, 1}),
             .role = 0},
            {.tokens = dit_constant(g, DIT_F32, DIT_SHAPE(B, 4, C), picture[other]), .role = 1, .visible_to = 1u << 1},
        };
        nn_sequence s = nn_sequence_join(g, segments, 2);
        dit_tensor x = dit_reshape(g, s.tokens, DIT_SHAPE(B, 7, 2, C / 2));
        dit_tensor y = dit_attention(g, x, x, x, s.mask, 0.5f, false);
        dit_output(g, "text", nn_sequence_part(g, &s, dit_reshape(g, y, DIT_SHAPE(B, 7, C)), 0));
        plan[other] = run(g);
        out[other] = dit_plan_output(plan[other], "text").data;
        dit_graph_free(g);
    }
    for (int64_t i = 0; i < B * 3 * C; i++)
        if (i / C != 2) // what padding itself computes is its own affair
            assert_true(out[0][i] == out[1][i]);
    dit_plan_free(plan[0]);
    dit_plan_free(plan[1]);
}

static void every_token_has_its_segments_condition(void **state)
{
    (void)state;
    float values[2][B * 3];
    for (int i = 0; i < B * 3; i++)
        values[0][i] = (float)i, values[1][i] = (float)(100 + i);
    dit_graph *g = dit_graph_new(NULL);
    nn_segment segments[2] = {0};
    for (int i = 0; i < 2; i++) {
        segments[i].tokens = tokens_of(g, i, 2 + i);
        segments[i].condition = dit_constant(g, DIT_F32, DIT_SHAPE(B, 1, 3), values[i]);
    }
    nn_sequence s = nn_sequence_join(g, segments, 2);
    dit_output(g, "c", nn_sequence_conditions(g, &s, segments));
    dit_plan *plan = run(g);
    dit_array c = dit_plan_output(plan, "c");
    assert_true(dit_shape_equal(&c.shape, &DIT_SHAPE(B, 5, 3)));
    for (int b = 0; b < B; b++)
        for (int t = 0; t < 5; t++)
            for (int k = 0; k < 3; k++)
                assert_true(((float *)c.data)[(b * 5 + t) * 3 + k] == values[t >= 2][b * 3 + k]);
    dit_plan_free(plan);
    dit_graph_free(g);
}

static void lists_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    const struct {
        int count, role, channels;
        bool conditions;
        dit_status status;
        const char *word;
    } cases[] = {
        {0, 0, C, false, DIT_UNSUPPORTED, "0 segments"}, {17, 0, C, false, DIT_UNSUPPORTED, "17 segments"},
        {2, 32, C, false, DIT_UNSUPPORTED, "role 32"},   {2, -1, C, false, DIT_UNSUPPORTED, "role -1"},
        {2, 0, C, true, DIT_BAD_ARGUMENT, "segment 1"},  {2, 0, C + 1, false, DIT_BAD_ARGUMENT, "concat"},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        nn_segment segments[17];
        dit_graph *g = dit_graph_new(NULL);
        for (int i = 0; i < 17; i++)
            segments[i] = (nn_segment){.tokens = dit_filled(g, DIT_SHAPE(B, 2, i == 1 ? cases[n].channels : C), 0)};
        segments[1].role = cases[n].role;
        segments[0].condition = dit_filled(g, DIT_SHAPE(B, 1, 3), 0);
        nn_sequence s = nn_sequence_join(g, segments, cases[n].count);
        if (cases[n].conditions)
            nn_sequence_conditions(g, &s, segments);
        assert_refused(dit_graph_error(g), cases[n].status, cases[n].word);
        dit_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_come_apart_as_they_were_joined),
        cmocka_unit_test(grids_count_frames_over_rows_over_columns),
        cmocka_unit_test(masks_say_who_sees_whom),
        cmocka_unit_test(what_is_not_seen_does_not_matter),
        cmocka_unit_test(every_token_has_its_segments_condition),
        cmocka_unit_test(lists_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
