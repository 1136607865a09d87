// models/aura_flow.c: AuraFlow: blocks of two streams, then blocks of one, without biases, with learned positions and
// register tokens (Darcet et al. 2023, arXiv 2309.16588). fal 2024. Weight names: diffusers AuraFlowTransformer2DModel.
#include "models/aura_flow.h"
#include "models/arguments.h"
#include "nn/adaptive_norm.h"
#include "nn/joint_attention.h"
#include "nn/sequence.h"

static const nn_adaptive_norm_options NORM = {.eps = 1e-5f, .no_bias = true};
enum { TEXT, IMAGE }; // segments of the joint sequence
enum { REGISTERS = 8 };

static nn_attention_options attention_options(const dit_aura_flow_config *c)
{
    return (nn_attention_options){.heads = c->heads,
                                  .head_width = c->head_width,
                                  .no_qkv_bias = true,
                                  .no_output_bias = true,
                                  .qk_norm = NN_QK_PLAIN_LAYER,
                                  .qk_norm_eps = 1e-5f};
}

// The width of a feed-forward: two thirds of four times the block's, rounded up to a multiple of 256.
static int64_t feed_forward_width(int64_t width)
{
    return (2 * (4 * width) / 3 + 255) / 256 * 256;
}

// What follows attention in one stream: the block's residual is its input, not what attention made of it.
// x, attended: (B, T, C); m: the modulations of its first norm.
static dit_tensor finish_stream(dit_graph *g, const char *feed_forward, dit_tensor x, dit_tensor attended,
                                const dit_tensor *m)
{
    static const char *const names[] = {"linear_1", "linear_2", "out_projection"};
    dit_tensor h = nn_layer_norm(g, NULL, nn_gated_add(g, x, m[2], attended), NORM.eps);
    h = nn_swiglu(g, feed_forward, nn_modulate(g, h, m[3], m[4]), feed_forward_width(dit_extent(g, x, -1)), names);
    return nn_gated_add(g, x, m[5], h);
}

// One block of two streams. x: (B, T, C) image; text: (B, S, C), replaced. Returns the image's (B, T, C).
static dit_tensor joint_block(dit_graph *g, const dit_aura_flow_config *c, dit_tensor x, dit_tensor *text,
                              dit_tensor condition)
{
    const nn_attention_options attention = attention_options(c);
    const nn_joint_options joint = {.context_first = true};
    dit_tensor m[6], text_m[6]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward
    dit_tensor h = nn_adaptive_norm_zero(g, "norm1", x, condition, 6, m, &NORM);
    dit_tensor text_h = nn_adaptive_norm_zero(g, "norm1_context", *text, condition, 6, text_m, &NORM);
    h = nn_joint_attention(g, "attn", h, &text_h, &attention, &joint);
    x = dit_tap(g, "out", finish_stream(g, "ff", x, h, m));
    *text = dit_tap(g, "context_out", finish_stream(g, "ff_context", *text, text_h, text_m));
    return x;
}

// One block of the joint sequence. x: (B, S + T, C).
static dit_tensor single_block(dit_graph *g, const dit_aura_flow_config *c, dit_tensor x, dit_tensor condition)
{
    const nn_attention_options attention = attention_options(c);
    dit_tensor m[6];
    dit_tensor h = nn_adaptive_norm_zero(g, "norm1", x, condition, 6, m, &NORM);
    h = nn_attention(g, "attn", h, DIT_NONE, &attention);
    return dit_tap(g, "out", finish_stream(g, "ff", x, h, m));
}

// The middle of the learned table of positions, (1, rows * columns, C).
static dit_tensor positions(dit_graph *g, const dit_aura_flow_config *c, int64_t rows, int64_t columns, int64_t C)
{
    int64_t size = c->positions, top = size / 2 - rows / 2, left = size / 2 - columns / 2;
    dit_tensor table =
        dit_parameter(g, "pos_embed.pos_embed", DIT_SHAPE(1, c->position_count, C), DIT_INITIAL_NORMAL(0.1f));
    if (top < 0 || left < 0 || top + rows > size || left + columns > size) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "hidden_states has %lld rows and %lld columns of patches; pos_embed_max_size "
                       "holds %lld of each",
                       (long long)rows, (long long)columns, (long long)size);
        return DIT_NONE;
    }
    table = dit_reshape(g, dit_slice(g, table, 1, 0, size * size, 1), DIT_SHAPE(1, size, size, C));
    table = dit_slice(g, dit_slice(g, table, 1, top, rows, 1), 2, left, columns, 1);
    return dit_reshape(g, table, DIT_SHAPE(1, rows * columns, C));
}

// Latents as tokens with positions. latents: (B, C_in, H, W) -> (B, T, C).
static dit_tensor embed(dit_graph *g, const dit_aura_flow_config *c, dit_tensor latents, int64_t C)
{
    int64_t H = dit_extent(g, latents, 2), W = dit_extent(g, latents, 3);
    dit_check_extent(g, "hidden_states", latents, 1, c->in_channels, "in_channels");
    if (H % c->patch || W % c->patch)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states has %lld rows and %lld columns; patch_size is %d",
                       (long long)H, (long long)W, c->patch);
    dit_tensor x = dit_patchify(g, latents, (int[]){1, c->patch, c->patch}, DIT_PATCH_CHANNEL_FIRST);
    x = nn_patch_projection(g, "pos_embed.proj", x, c->patch, C);
    return dit_add(g, x, positions(g, c, H / c->patch, W / c->patch, C));
}

// The text's states behind the register tokens: (B, S, C_text) -> (B, 8 + S, C).
static dit_tensor embed_text(dit_graph *g, const dit_aura_flow_config *c, dit_tensor text, int64_t C)
{
    dit_check_extent(g, "encoder_hidden_states", text, -1, c->text_width, "joint_attention_dim");
    text = nn_linear(g, "context_embedder", text, C, false);
    dit_tensor registers = dit_parameter(g, "register_tokens", DIT_SHAPE(1, REGISTERS, C), DIT_INITIAL_NORMAL(0.02f));
    if (dit_dtype_of(g, registers) != dit_dtype_of(g, text))
        registers = dit_cast(g, registers, dit_dtype_of(g, text));
    registers = dit_expand(g, registers, DIT_SHAPE(dit_extent(g, text, 0), REGISTERS, C));
    return dit_concat(g, (dit_tensor[]){registers, text}, 2, 1);
}

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_aura_flow_config *c = config;
    dit_tensor latents = dit_named_find(in, "hidden_states"), timestep = dit_named_find(in, "timestep");
    dit_tensor text = dit_named_find(in, "encoder_hidden_states");
    const nn_time_options time = {.frequencies = 256, .flip = true, .scale = 1000, .dtype = dit_dtype_of(g, latents)};
    int64_t C = (int64_t)c->heads * c->head_width, B = dit_extent(g, latents, 0);
    dit_check_extent(g, "encoder_hidden_states", text, 0, B, "as many samples as hidden_states");
    dit_check_batch(g, "timestep", timestep, B);
    dit_tensor x = embed(g, c, latents, C);                                            // (B, T, C)
    dit_tensor condition = nn_time_embedding(g, "time_step_proj", timestep, C, &time); // (B, C)
    text = embed_text(g, c, text, C);                                                  // (B, S, C)

    for (int i = 0; i < c->layers; i++)
        DIT_SCOPE (g, "joint_transformer_blocks.%d", i)
            x = joint_block(g, c, x, &text, condition);
    const nn_segment segments[] = {[TEXT] = {.tokens = text, .role = TEXT}, [IMAGE] = {.tokens = x, .role = IMAGE}};
    nn_sequence s = nn_sequence_join(g, segments, 2);
    x = s.tokens; // (B, S + T, C)
    for (int i = 0; i < c->single_layers; i++)
        DIT_SCOPE (g, "single_transformer_blocks.%d", i)
            x = single_block(g, c, x, condition);
    x = nn_sequence_part(g, &s, x, IMAGE);

    dit_tensor m[2]; // (B, 1, C) each: scale, shift; there is no norm before them
    nn_adaptive_chunks(g, "norm_out", condition, C, 2, m, false);
    x = nn_modulate(g, x, m[1], m[0]);
    x = nn_linear_from(g, "proj_out", x, (int64_t)c->patch * c->patch * c->out_channels, false, DIT_INITIAL_ZEROS);
    dit_named_add(out, "sample",
                  nn_unpatchify_2d(g, x, c->patch, c->out_channels, dit_extent(g, latents, 2) / c->patch,
                                   dit_extent(g, latents, 3) / c->patch));
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const char *const ignored[] = {"sample_size", NULL}; // the table of positions is cut by the latents' size
    dit_aura_flow_config *c = config;
    c->patch = (int)dit_json_int_or(json, "patch_size", 2, 1, 1024, error);
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 4, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(json, "out_channels", 4, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_mmdit_layers", 4, 0, 4096, error);
    c->single_layers = (int)dit_json_int_or(json, "num_single_dit_layers", 32, 0, 4096, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 256, 1, 1 << 14, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 12, 1, 1 << 14, error);
    c->text_width = (int)dit_json_int_or(json, "joint_attention_dim", 2048, 1, 1 << 20, error);
    int caption_width = (int)dit_json_int_or(json, "caption_projection_dim", 3072, 1, 1 << 28, error);
    c->position_count = (int)dit_json_int_or(json, "pos_embed_max_size", 1024, 1, 1 << 24, error);
    while ((int64_t)(c->positions + 1) * (c->positions + 1) <= c->position_count)
        c->positions++;
    dit_json_ignore(json, ignored, error);
    if (json_is_null(json_object_get(json.value, "out_channels")))
        dit_json_fail(json, "out_channels", error, "is null; say how many channels come out");
    if (caption_width != (int64_t)c->heads * c->head_width)
        dit_json_fail(json, "caption_projection_dim", error, "is %d; the blocks are %lld wide", caption_width,
                      (long long)c->heads * c->head_width);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"hidden_states", DIT_REQUIRED, 4, 4},
                                         {"encoder_hidden_states", DIT_REQUIRED, 3, 3},
                                         {"timestep", DIT_REQUIRED, 1, 1},
                                         {0}};

const dit_model_class dit_model_class_aura_flow = {
    .name = "AuraFlowTransformer2DModel",
    .config_bytes = sizeof(dit_aura_flow_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
