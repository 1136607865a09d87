// nn/norm.c: norms and adaptive modulation.
#include "nn/nn.h"
#include <math.h>

dit_tensor nn_layer_norm(dit_graph *g, const char *name, dit_tensor x, float eps)
{
    dit_tensor y = DIT_NONE;
    if (!name)
        return dit_layer_norm(g, x, DIT_NONE, DIT_NONE, eps);
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(dit_extent(g, x, -1)), DIT_INITIAL_ONES);
        dit_tensor bias = dit_parameter(g, "bias", DIT_SHAPE(dit_extent(g, x, -1)), DIT_INITIAL_ZEROS);
        y = dit_layer_norm(g, x, weight, bias, eps);
    }
    return y;
}

dit_tensor nn_rms_norm_once(dit_graph *g, const char *name, dit_tensor x, float eps)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name)
        y = dit_rms_norm(g, x, dit_parameter(g, "weight", DIT_SHAPE(dit_extent(g, x, -1)), DIT_INITIAL_ONES), eps);
    return y;
}

dit_tensor nn_rms_norm(dit_graph *g, const char *name, dit_tensor x, float eps)
{
    dit_tensor y = DIT_NONE;
    if (!name)
        return dit_rms_norm(g, x, DIT_NONE, eps);
    if (dit_dtype_of(g, x) == DIT_F32)
        return nn_rms_norm_once(g, name, x, eps);
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(dit_extent(g, x, -1)), DIT_INITIAL_ONES);
        y = dit_mul(g, dit_rms_norm(g, x, DIT_NONE, eps), weight);
    }
    return y;
}

dit_tensor nn_l2_norm(dit_graph *g, dit_tensor x, float eps)
{
    dit_dtype dtype = dit_dtype_of(g, x);
    int rank = dit_shape_of(g, x)->rank;
    unsigned last = rank ? 1u << (rank - 1) : 0; // no axis: a failed value
    dit_tensor wide = dtype == DIT_F32 ? x : dit_cast(g, x, DIT_F32);
    dit_tensor length = dit_sqrt(g, dit_sum(g, dit_square(g, wide), last, true)); // (..., 1)
    if (dtype != DIT_F32)
        length = dit_cast(g, length, dtype);
    return dit_div(g, x, dit_clamp(g, length, eps, INFINITY));
}

dit_tensor nn_group_norm(dit_graph *g, const char *name, dit_tensor x, int groups, float eps)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(dit_extent(g, x, 1)), DIT_INITIAL_ONES);
        dit_tensor bias = dit_parameter(g, "bias", DIT_SHAPE(dit_extent(g, x, 1)), DIT_INITIAL_ZEROS);
        y = dit_group_norm(g, x, weight, bias, groups, eps);
    }
    return y;
}

dit_tensor nn_modulate(dit_graph *g, dit_tensor x, dit_tensor shift, dit_tensor scale)
{
    return dit_add(g, dit_mul(g, x, dit_affine(g, scale, 1, 1)), shift);
}

dit_tensor nn_gated_add(dit_graph *g, dit_tensor residual, dit_tensor gate, dit_tensor x)
{
    return dit_add(g, residual, dit_mul(g, gate, x));
}

void nn_chunk(dit_graph *g, dit_tensor x, int axis, int count, dit_tensor *parts)
{
    int64_t extent = dit_extent(g, x, axis);
    if (count < 1 || extent % count)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "an axis of extent %lld does not split into %d equal parts",
                       (long long)extent, count);
    int from_front = dit_axis_from_front(axis, dit_shape_of(g, x)->rank);
    for (int i = 0; i < count; i++)
        parts[i] = dit_slice(g, x, from_front, i * (extent / count), extent / count, 1);
}

void nn_modulation(dit_graph *g, const char *name, dit_tensor condition, int64_t width, int count, dit_tensor *parts)
{
    dit_tensor m = nn_linear_from(g, name, dit_silu(g, condition), count * width, true, DIT_INITIAL_ZEROS);
    m = dit_reshape(g, m, DIT_SHAPE(dit_extent(g, m, 0), 1, count * width)); // (B, 1, count * width)
    nn_chunk(g, m, -1, count, parts);
}
