// nn/time.c: timesteps as conditions. Ho et al. 2020 (arXiv 2006.11239), appendix B.
#include "nn/nn.h"

dit_tensor nn_time_embedding(dit_graph *g, const char *name, dit_tensor t, int64_t width, const nn_time_options *o)
{
    dit_tensor y = DIT_NONE;
    if (dit_dtype_of(g, t) != DIT_F32)
        t = dit_cast(g, t, DIT_F32);
    DIT_SCOPE (g, "%s", name) {
        dit_tensor h = dit_timestep_embedding(g, t, o->frequencies, o->flip, o->shift, 10000, o->scale ? o->scale : 1);
        if (o->dtype != DIT_F32)
            h = dit_cast(g, h, o->dtype);
        h = nn_linear_from(g, "linear_1", h, width, true, DIT_INITIAL_NORMAL(0.02f));              // (B, width)
        y = nn_linear_from(g, "linear_2", dit_silu(g, h), width, true, DIT_INITIAL_NORMAL(0.02f)); // (B, width)
    }
    return y;
}

dit_tensor nn_time_text_embedding(dit_graph *g, const char *name, dit_tensor t, dit_tensor guidance, dit_tensor pooled,
                                  int64_t width)
{
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = dit_dtype_of(g, pooled)};
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        y = nn_time_embedding(g, "timestep_embedder", t, width, &time); // (B, width)
        if (!dit_is_none(guidance))
            y = dit_add(g, y, nn_time_embedding(g, "guidance_embedder", guidance, width, &time));
        y = dit_add(g, y, nn_text_projection(g, "text_embedder", pooled, width, NN_SILU));
    }
    return y;
}
