// models/text_dit.c: the text-conditioned transformer of the shipped model.
//
// Text and picture are two segments of one sequence, as in the single-stream blocks of recent models (Lumina-Image 2.0,
// arXiv 2503.21758); the modulation is adaLN-single (PixArt-alpha, Chen et al. 2023, arXiv 2310.00426, section 2.3):
// one layer for all blocks and a table of offsets in each. Queries and keys are normalised and turned by three-axis
// rotary positions. The picture enters as large patches of pixels and leaves as a prediction of the clean picture (Li
// and He 2025, arXiv 2511.13720).
#include "models/text_dit.h"
#include "nn/sequence.h"

enum { TEXT, PICTURE }; // segments
static const float NORM_EPS = 1e-6f;

// How many features of a head turn with t, y and x: even numbers, the remainder to t.
static void rope_split(int head_width, int split[3])
{
    split[1] = split[2] = head_width * 3 / 8 / 2 * 2;
    split[0] = head_width - split[1] - split[2];
}

static nn_attention_options attention_options(dit_graph *g, const dit_text_dit_config *c, dit_tensor positions,
                                              dit_tensor mask)
{
    int split[3];
    rope_split(c->head_width, split);
    return (nn_attention_options){.heads = c->heads,
                                  .head_width = c->head_width,
                                  .qk_norm = NN_QK_RMS,
                                  .qk_norm_eps = NORM_EPS,
                                  .rope = dit_rope_table(g, positions, 3, split, 100, DIT_F32),
                                  .rope_interleaved = true,
                                  .mask = mask};
}

// The text's states before it meets the picture. ids, mask: (B, L). Returns (B, L, C) in `dtype`, that of the network,
// whatever the table is stored in.
static dit_tensor encode_text(dit_graph *g, const dit_text_dit_config *c, dit_tensor ids, dit_tensor mask,
                              dit_tensor positions, dit_dtype dtype)
{
    int64_t B = dit_extent(g, ids, 0), L = dit_extent(g, ids, 1), C = (int64_t)c->heads * c->head_width;
    const nn_attention_options attention =
        attention_options(g, c, positions, dit_reshape(g, mask, DIT_SHAPE(B, 1, 1, L)));
    dit_tensor x = dit_cast(g, nn_embedding(g, "text_embed", c->vocabulary, C, ids), dtype); // (B, L, C)
    for (int i = 0; i < c->text_layers; i++)
        DIT_SCOPE (g, "text_blocks.%d", i) {
            x = dit_add(g, x, nn_attention(g, "attn1", nn_rms_norm(g, "norm1", x, NORM_EPS), DIT_NONE, &attention));
            x = dit_add(g, x, nn_feed_forward(g, "ff", nn_rms_norm(g, "norm2", x, NORM_EPS), 4 * C, NN_GELU_TANH));
            x = dit_tap(g, "out", x);
        }
    return nn_rms_norm(g, "text_norm", x, NORM_EPS);
}

// The mean of the text's states over its tokens, (B, C).
static dit_tensor pool_text(dit_graph *g, dit_tensor text, dit_tensor mask)
{
    int64_t B = dit_extent(g, text, 0), L = dit_extent(g, text, 1);
    dit_tensor weight = dit_reshape(g, dit_cast(g, mask, dit_dtype_of(g, text)), DIT_SHAPE(B, L, 1));
    dit_tensor count = dit_clamp(g, dit_sum(g, weight, 1u << 1, false), 1, 1e9f); // (B, 1)
    return dit_div(g, dit_sum(g, dit_mul(g, text, weight), 1u << 1, false), count);
}

// The six modulations of one block: the shared ones (B, 1, 6C) plus this block's table.
static void block_modulation(dit_graph *g, dit_tensor shared, dit_tensor *m)
{
    dit_tensor table = dit_parameter(g, "scale_shift_table", DIT_SHAPE(dit_extent(g, shared, -1)), DIT_INITIAL_ZEROS);
    nn_chunk(g, dit_add(g, shared, table), -1, 6, m);
}

// One block over the joint sequence. x: (B, S, C); shared: (B, 1, 6C). Returns (B, S, C).
static dit_tensor block(dit_graph *g, dit_tensor x, dit_tensor shared, const nn_attention_options *attention)
{
    dit_tensor m[6]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward
    block_modulation(g, shared, m);
    dit_tensor h = nn_modulate(g, nn_rms_norm(g, NULL, x, NORM_EPS), m[0], m[1]);
    x = dit_tap(g, "attn.out", nn_gated_add(g, x, m[2], nn_attention(g, "attn1", h, DIT_NONE, attention)));
    h = nn_modulate(g, nn_rms_norm(g, NULL, x, NORM_EPS), m[3], m[4]);
    return dit_tap(g, "out",
                   nn_gated_add(g, x, m[5], nn_feed_forward(g, "ff", h, 4 * dit_extent(g, x, -1), NN_GELU_TANH)));
}

dit_tensor dit_model_text_dit(dit_graph *g, const dit_text_dit_config *c, dit_tensor pixels, dit_tensor timestep,
                              dit_tensor ids, dit_tensor text_mask)
{
    int64_t C = (int64_t)c->heads * c->head_width, L = dit_extent(g, ids, 1);
    int64_t rows = dit_extent(g, pixels, 2) / c->patch, columns = dit_extent(g, pixels, 3) / c->patch;
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = dit_dtype_of(g, pixels)};
    if (rows * c->patch != dit_extent(g, pixels, 2) || columns * c->patch != dit_extent(g, pixels, 3) ||
        dit_extent(g, pixels, 1) != c->channels)
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "a picture of %lld channels and %lldx%lld pixels; the model takes %d channels "
                       "and multiples of %d pixels",
                       (long long)dit_extent(g, pixels, 1), (long long)dit_extent(g, pixels, 3),
                       (long long)dit_extent(g, pixels, 2), c->channels, c->patch);

    dit_tensor text_positions = nn_grid_positions(g, L, 1, 1, (float[]){0, 0, 0});   // (L, 3)
    dit_tensor text = encode_text(g, c, ids, text_mask, text_positions, time.dtype); // (B, L, C)
    dit_tensor condition = nn_time_embedding(g, "timestep_embedder", timestep, C, &time);
    condition = dit_add(g, condition, nn_linear(g, "text_pool", pool_text(g, text, text_mask), C, true)); // (B, C)

    const nn_segment segments[] = {
        [TEXT] = {.tokens = text, .positions = text_positions, .padding = text_mask, .role = TEXT},
        [PICTURE] = {.tokens = nn_patch_embed_2d(g, "x_embedder", pixels, c->patch, C),
                     .positions = nn_grid_positions(g, 1, rows, columns, (float[]){(float)c->text_length, 0, 0}),
                     .role = PICTURE},
    };
    nn_sequence s = nn_sequence_join(g, segments, 2);
    const nn_attention_options attention = attention_options(g, c, s.positions, s.mask);
    dit_tensor shared, m[2], x = s.tokens; // (B, S, C)
    nn_modulation(g, "adaln_single.linear", condition, 6 * C, 1, &shared);
    for (int i = 0; i < c->layers; i++)
        DIT_SCOPE (g, "transformer_blocks.%d", i)
            x = block(g, x, shared, &attention);

    x = nn_sequence_part(g, &s, x, PICTURE); // (B, T, C)
    nn_modulation(g, "proj_out_1", condition, C, 2, m);
    x = nn_modulate(g, nn_rms_norm(g, NULL, x, NORM_EPS), m[0], m[1]);
    x = nn_linear_from(g, "proj_out_2", x, (int64_t)c->patch * c->patch * c->channels, true, DIT_INITIAL_ZEROS);
    return nn_unpatchify_2d(g, x, c->patch, c->channels, rows, columns);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_text_dit_config *c = config;
    c->heads = (int)dit_json_int(json, "num_attention_heads", 1, 1024, error);
    c->head_width = (int)dit_json_int(json, "attention_head_dim", 16, 1024, error);
    c->channels = (int)dit_json_int_or(json, "in_channels", 3, 1, 1 << 16, error);
    c->patch = (int)dit_json_int(json, "patch_size", 1, 1024, error);
    c->sample_size = (int)dit_json_int(json, "sample_size", 1, 1 << 16, error);
    c->layers = (int)dit_json_int(json, "num_layers", 1, 4096, error);
    c->text_layers = (int)dit_json_int_or(json, "num_text_layers", 2, 0, 4096, error);
    c->vocabulary = (int)dit_json_int(json, "vocab_size", 1, 1 << 24, error);
    c->text_length = (int)dit_json_int(json, "max_text_length", 1, 1 << 16, error);
    if (c->head_width % 2)
        dit_json_fail(json, "attention_head_dim", error, "is %d; it must be even", c->head_width);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"hidden_states", true, 4, 4},
                                         {"timestep", true, 1, 1},
                                         {"input_ids", true, 2, 2},
                                         {"attention_mask", true, 2, 2},
                                         {0}};

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    dit_tensor mask = dit_named_find(in, "attention_mask");
    if (dit_dtype_of(g, mask) != DIT_BOOL)
        mask = dit_cast(g, mask, DIT_BOOL);
    dit_named_add(out, "sample",
                  dit_model_text_dit(g, config, dit_named_find(in, "hidden_states"), dit_named_find(in, "timestep"),
                                     dit_named_find(in, "input_ids"), mask));
}

const dit_model_class dit_model_class_text_dit = {
    .name = "TextDiTTransformer2DModel",
    .config_bytes = sizeof(dit_text_dit_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
