// nn/sequence.c: joining segments, and the mask that says who sees whom.
#include "nn/sequence.h"
#include <stdlib.h>
#include <string.h>

dit_tensor nn_grid_positions(dit_graph *g, int64_t frames, int64_t rows, int64_t columns, const float origin[3])
{
    dit_shape shape = DIT_SHAPE(frames * rows * columns, 3);
    if (dit_shape_check(&shape, DIT_F32, dit_graph_error(g)))
        return DIT_NONE;
    float *p = malloc((size_t)dit_shape_count(&shape) * sizeof *p), *next = p;
    if (!p) {
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for %lld positions", (long long)shape.dim[0]);
        return DIT_NONE;
    }
    for (int64_t t = 0; t < frames; t++)
        for (int64_t y = 0; y < rows; y++)
            for (int64_t x = 0; x < columns; x++, next += 3) {
                next[0] = origin[0] + (float)t;
                next[1] = origin[1] + (float)y;
                next[2] = origin[2] + (float)x;
            }
    dit_tensor positions = dit_constant(g, DIT_F32, shape, p);
    free(p);
    return positions;
}

static dit_tensor filled_bool(dit_graph *g, dit_shape shape)
{
    uint8_t yes = 1;
    return dit_expand(g, dit_constant(g, DIT_BOOL, DIT_SCALAR, &yes), shape);
}

// (B, 1, 1, S): which keys are no padding; none when no segment has padding.
static dit_tensor padding_mask(dit_graph *g, const nn_segment *segments, int count, int64_t B, int64_t S)
{
    dit_tensor parts[NN_MAX_SEGMENTS];
    bool any = false;
    for (int i = 0; i < count; i++) {
        any |= !dit_is_none(segments[i].padding);
        parts[i] = dit_is_none(segments[i].padding) ? filled_bool(g, DIT_SHAPE(B, dit_extent(g, segments[i].tokens, 1)))
                                                    : segments[i].padding;
    }
    return any ? dit_reshape(g, dit_concat(g, parts, count, 1), DIT_SHAPE(B, 1, 1, S)) : DIT_NONE;
}

static bool sees(const nn_segment *from, const nn_segment *to)
{
    return !to->visible_to || (to->visible_to >> from->role & 1);
}

// (1, 1, S, S): which segments see which; none when all see all.
static dit_tensor visibility_mask(dit_graph *g, const nn_segment *segments, const nn_sequence *s)
{
    bool all = true;
    for (int q = 0; q < s->segments; q++)
        for (int k = 0; k < s->segments; k++)
            all &= sees(&segments[q], &segments[k]);
    if (all)
        return DIT_NONE;
    int64_t S = s->start[s->segments];
    dit_shape shape = DIT_SHAPE(1, 1, S, S);
    uint8_t *mask = dit_shape_check(&shape, DIT_BOOL, dit_graph_error(g)) ? NULL : calloc((size_t)(S * S), 1);
    if (!mask) {
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for a mask over %lld tokens", (long long)S);
        return DIT_NONE;
    }
    for (int q = 0; q < s->segments; q++)
        for (int k = 0; k < s->segments; k++)
            for (int64_t row = s->start[q]; sees(&segments[q], &segments[k]) && row < s->start[q + 1]; row++)
                memset(mask + row * S + s->start[k], 1, (size_t)(s->start[k + 1] - s->start[k]));
    dit_tensor t = dit_constant(g, DIT_BOOL, shape, mask);
    free(mask);
    return t;
}

static dit_tensor both(dit_graph *g, dit_tensor a, dit_tensor b)
{
    if (dit_is_none(a) || dit_is_none(b))
        return dit_is_none(a) ? b : a;
    uint8_t no = 0;
    return dit_where(g, a, b, dit_constant(g, DIT_BOOL, DIT_SCALAR, &no));
}

nn_sequence nn_sequence_join(dit_graph *g, const nn_segment *segments, int count)
{
    nn_sequence s = {.segments = count};
    dit_tensor tokens[NN_MAX_SEGMENTS], positions[NN_MAX_SEGMENTS];
    if (count < 1 || count > NN_MAX_SEGMENTS) {
        dit_graph_fail(g, DIT_UNSUPPORTED, "a sequence of %d segments; it takes 1 to %d", count, NN_MAX_SEGMENTS);
        return (nn_sequence){0};
    }
    for (int i = 0; i < count; i++) {
        int64_t T = dit_extent(g, segments[i].tokens, 1);
        if (segments[i].role < 0 || segments[i].role >= NN_ROLES) {
            dit_graph_fail(g, DIT_UNSUPPORTED, "segment %d has role %d; roles are 0 to %d", i, segments[i].role,
                           NN_ROLES - 1);
            return (nn_sequence){0};
        }
        tokens[i] = segments[i].tokens;
        positions[i] = dit_is_none(segments[i].positions) ? dit_filled(g, DIT_SHAPE(T, 3), 0) : segments[i].positions;
        s.start[i + 1] = s.start[i] + T;
    }
    s.tokens = dit_concat(g, tokens, count, 1);
    s.positions = dit_concat(g, positions, count, 0);
    int64_t B = dit_extent(g, s.tokens, 0), S = s.start[count];
    s.mask = both(g, padding_mask(g, segments, count, B, S), visibility_mask(g, segments, &s));
    return s;
}

dit_tensor nn_sequence_part(dit_graph *g, const nn_sequence *s, dit_tensor x, int segment)
{
    return dit_slice(g, x, 1, s->start[segment], s->start[segment + 1] - s->start[segment], 1);
}

dit_tensor nn_sequence_conditions(dit_graph *g, const nn_sequence *s, const nn_segment *segments)
{
    dit_tensor parts[NN_MAX_SEGMENTS];
    for (int i = 0; i < s->segments; i++) {
        if (dit_is_none(segments[i].condition)) {
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "segment %d has no condition of its own", i);
            return DIT_NONE;
        }
        dit_shape shape = *dit_shape_of(g, segments[i].condition); // (B, 1, C')
        shape.dim[1] = s->start[i + 1] - s->start[i];
        parts[i] = dit_expand(g, segments[i].condition, shape);
    }
    return dit_concat(g, parts, s->segments, 1);
}
