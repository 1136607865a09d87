// nn/linear_attention.c: see the header.
#include "nn/linear_attention.h"

static dit_tensor heads_first(dit_graph *g, dit_tensor x)
{
    dit_tensor y = dit_permute(g, x, (int[]){0, 2, 1, 3}); // (B, H, T, D)
    return dit_dtype_of(g, y) == DIT_F32 ? y : dit_cast(g, y, DIT_F32);
}

dit_tensor nn_linear_attention(dit_graph *g, dit_tensor q, dit_tensor k, dit_tensor v)
{
    enum { TOKENS = 1 << 2 };
    q = heads_first(g, dit_relu(g, q)), k = heads_first(g, dit_relu(g, k)), v = heads_first(g, v);
    dit_tensor products = dit_matmul(g, dit_transpose(g, k, 2, 3), v);      // (B, H, D, D)
    dit_tensor total = dit_transpose(g, dit_sum(g, k, TOKENS, true), 2, 3); // (B, H, D, 1)
    dit_tensor weight = dit_affine(g, dit_matmul(g, q, total), 1, 1e-15f);  // (B, H, Tq, 1)
    dit_tensor y = dit_div(g, dit_matmul(g, q, products), weight);          // (B, H, Tq, D)
    return dit_permute(g, y, (int[]){0, 2, 1, 3});
}
