// nn/adaln_single.c: see the header.
#include "nn/adaln_single.h"
#include <math.h>

// Every number of t by itself, (B * k), each as `width` features, then the k of a sample in a row: (B, k * width).
static dit_tensor embed_numbers(dit_graph *g, const char *name, dit_tensor t, int64_t width,
                                const nn_adaln_single_options *o)
{
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = o->dtype};
    int64_t count = dit_shape_count(dit_shape_of(g, t));
    if (count % o->batch) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s takes %lld numbers for %lld samples", name, (long long)count,
                       (long long)o->batch);
        return DIT_NONE;
    }
    dit_tensor y = nn_time_embedding(g, name, dit_reshape(g, t, DIT_SHAPE(count)), width, &time);
    return dit_reshape(g, y, DIT_SHAPE(o->batch, count / o->batch * width));
}

// What is embedded, (B, C): time, and with it either guidance or the size of the picture.
static dit_tensor embed_conditions(dit_graph *g, dit_tensor timestep, int64_t width, const nn_adaln_single_options *o)
{
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = o->dtype};
    dit_tensor y = nn_time_embedding(g, "timestep_embedder", timestep, width, &time);
    if (!dit_is_none(o->guidance))
        return dit_add(g, y, nn_time_embedding(g, "guidance_embedder", o->guidance, width, &time));
    if (dit_is_none(o->resolution))
        return y;
    dit_tensor size[] = {embed_numbers(g, "resolution_embedder", o->resolution, width / 3, o),
                         embed_numbers(g, "aspect_ratio_embedder", o->aspect_ratio, width / 3, o)};
    int64_t found = dit_extent(g, size[0], 1) + dit_extent(g, size[1], 1);
    if (found != width)
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "resolution and aspect_ratio give %lld features a sample (%lld a number), the model takes %lld",
                       (long long)found, (long long)(width / 3), (long long)width);
    return dit_add(g, y, dit_concat(g, size, 2, 1));
}

nn_adaln_single_result nn_adaln_single(dit_graph *g, const char *name, dit_tensor timestep, int64_t width,
                                       const nn_adaln_single_options *o)
{
    nn_adaln_single_result r = {0};
    DIT_SCOPE (g, "%s", name) {
        if (dit_is_none(o->guidance)) {
            DIT_SCOPE (g, "emb")
                r.embedded = embed_conditions(g, timestep, width, o);
        } else {
            r.embedded = embed_conditions(g, timestep, width, o);
        }
        dit_tensor m = nn_linear(g, "linear", dit_silu(g, r.embedded), 6 * width, true); // (B, 6 C)
        r.modulation = dit_reshape(g, m, DIT_SHAPE(dit_extent(g, m, 0), 6, width));
    }
    return r;
}

void nn_scale_shift_table(dit_graph *g, dit_tensor condition, int count, dit_tensor *parts)
{
    int64_t width = dit_extent(g, condition, -1);
    dit_initial start = DIT_INITIAL_NORMAL(1 / sqrtf((float)width));
    dit_tensor table = dit_parameter(g, "scale_shift_table", DIT_SHAPE(count, width), start);
    table = dit_reshape(g, table, DIT_SHAPE(1, count, width));  // added second: a sum has the dtype of what comes first
    nn_chunk(g, dit_add(g, condition, table), 1, count, parts); // (B, 1, C) each
}
