// models/flux.c: FLUX.1 (dev, schnell, Kontext, Fill): blocks of two streams that meet in attention, then blocks of
// one. Black Forest Labs 2024; Kontext: arXiv 2506.15742, section 3. Weight names: diffusers FluxTransformer2DModel.
#include "models/flux.h"
#include "models/arguments.h"
#include "nn/adaptive_norm.h"
#include "nn/joint_attention.h"
#include "nn/sequence.h"

static const nn_adaptive_norm_options NORM = {.eps = 1e-6f};
enum { TEXT, IMAGE }; // segments of the joint sequence

// What every block is given.
struct flux {
    const dit_flux_config *config;
    nn_attention_options attention;
    dit_tensor condition; // (B, C)
};

// Infinities of half precision, where one large channel of a text can lead, become its largest values.
static dit_tensor within_half(dit_graph *g, dit_tensor x)
{
    return dit_dtype_of(g, x) == DIT_F16 ? dit_clamp(g, x, -65504, 65504) : x;
}

// What follows attention in one stream. x: (B, T, C); attended: (B, T, C); m: the six modulations of its first norm.
static dit_tensor finish_stream(dit_graph *g, const char *feed_forward, dit_tensor x, dit_tensor attended,
                                const dit_tensor *m)
{
    x = nn_gated_add(g, x, m[2], attended);
    dit_tensor h = nn_modulate(g, nn_layer_norm(g, NULL, x, NORM.eps), m[3], m[4]);
    h = nn_feed_forward(g, feed_forward, h, 4 * dit_extent(g, x, -1), NN_GELU_TANH);
    return nn_gated_add(g, x, m[5], h);
}

// One block of two streams. x: (B, T, C) image; text: (B, S, C), replaced. Returns the image's (B, T, C).
static dit_tensor double_block(dit_graph *g, const struct flux *f, dit_tensor x, dit_tensor *text)
{
    const nn_joint_options joint = {.context_first = true};
    dit_tensor m[6], text_m[6]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward
    dit_tensor h = nn_adaptive_norm_zero(g, "norm1", x, f->condition, 6, m, &NORM);
    dit_tensor text_h = nn_adaptive_norm_zero(g, "norm1_context", *text, f->condition, 6, text_m, &NORM);
    h = nn_joint_attention(g, "attn", h, &text_h, &f->attention, &joint);
    x = dit_tap(g, "out", finish_stream(g, "ff", x, h, m));
    *text = dit_tap(g, "context_out", within_half(g, finish_stream(g, "ff_context", *text, text_h, text_m)));
    return x;
}

// One block of the joint sequence, attention and feed-forward side by side from one norm. x: (B, S + T, C).
static dit_tensor single_block(dit_graph *g, const struct flux *f, dit_tensor x)
{
    nn_attention_options attention = f->attention;
    attention.no_output = true;
    dit_tensor m[3]; // (B, 1, C) each: shift, scale, gate
    int64_t C = dit_extent(g, x, -1);
    dit_tensor h = nn_adaptive_norm_zero(g, "norm", x, f->condition, 3, m, &NORM);
    dit_tensor parts[] = {nn_attention(g, "attn", h, DIT_NONE, &attention),
                          dit_gelu_tanh(g, nn_linear(g, "proj_mlp", h, 4 * C, true))};
    h = nn_linear(g, "proj_out", dit_concat(g, parts, 2, 2), C, true);
    return dit_tap(g, "out", within_half(g, nn_gated_add(g, x, m[2], h)));
}

// What a ControlNet adds after block `i` of `blocks`: `count` samples NAME.0, NAME.1, ..., each for an equal share of
// the blocks, or, with `repeat`, in turn. None when there are no samples.
static dit_tensor control(dit_graph *g, const dit_named_tensors *in, const char *name, int count, int i, int blocks,
                          bool repeat)
{
    if (count == 0)
        return DIT_NONE;
    int share = (blocks + count - 1) / count;
    return dit_named_member(g, in, name, repeat ? i % count : i / share);
}

static dit_tensor two_streams(dit_graph *g, const struct flux *f, const dit_named_tensors *in, dit_tensor x,
                              dit_tensor *text)
{
    int64_t repeat = 0;
    int blocks = f->config->layers, samples = dit_named_members(in, "controlnet_block_samples");
    dit_named_integers(g, in, "controlnet_blocks_repeat", &repeat, 1);
    for (int i = 0; i < blocks; i++) {
        DIT_SCOPE (g, "transformer_blocks.%d", i)
            x = double_block(g, f, x, text);
        dit_tensor added = control(g, in, "controlnet_block_samples", samples, i, blocks, repeat);
        x = dit_is_none(added) ? x : dit_add(g, x, added);
    }
    return x;
}

// Returns the image's tokens.
static dit_tensor one_stream(dit_graph *g, const struct flux *f, const dit_named_tensors *in, const nn_sequence *s)
{
    dit_tensor x = s->tokens; // (B, S + T, C)
    int blocks = f->config->single_layers, samples = dit_named_members(in, "controlnet_single_block_samples");
    for (int i = 0; i < blocks; i++) {
        DIT_SCOPE (g, "single_transformer_blocks.%d", i)
            x = single_block(g, f, x);
        dit_tensor added = control(g, in, "controlnet_single_block_samples", samples, i, blocks, false);
        if (!dit_is_none(added))
            x = dit_concat(
                g, (dit_tensor[]){nn_sequence_part(g, s, x, TEXT), dit_add(g, nn_sequence_part(g, s, x, IMAGE), added)},
                2, 1);
    }
    return nn_sequence_part(g, s, x, IMAGE);
}

// Positions of tokens, (T, axes) f32; those of a batch are all the first sample's.
static dit_tensor positions(dit_graph *g, const dit_flux_config *c, const dit_named_tensors *in, const char *name,
                            dit_tensor tokens)
{
    dit_tensor ids = dit_named_find(in, name);
    dit_check_extent(g, name, ids, -1, c->axes, "one for each of axes_dims_rope");
    dit_check_extent(g, name, ids, -2, dit_extent(g, tokens, 1), "one for each token");
    if (dit_shape_of(g, ids)->rank == 3)
        ids = dit_reshape(g, dit_slice(g, ids, 0, 0, 1, 1), DIT_SHAPE(dit_extent(g, ids, 1), c->axes));
    return dit_dtype_of(g, ids) == DIT_F32 ? ids : dit_cast(g, ids, DIT_F32);
}

// A time or a guidance scale in thousandths, in the network's dtype before and after.
static dit_tensor thousandfold(dit_graph *g, dit_tensor t, dit_dtype dtype)
{
    return dit_affine(g, dit_dtype_of(g, t) == dtype ? t : dit_cast(g, t, dtype), 1000, 0);
}

static dit_tensor condition(dit_graph *g, const dit_flux_config *c, const dit_named_tensors *in, dit_dtype dtype)
{
    int64_t batch = dit_extent(g, dit_named_find(in, "hidden_states"), 0);
    dit_tensor guidance = dit_named_find(in, "guidance"), pooled = dit_named_find(in, "pooled_projections");
    if (c->guidance == dit_is_none(guidance))
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       c->guidance ? "guidance is missing; guidance_embeds is true"
                                   : "guidance is given; guidance_embeds is false");
    dit_check_extent(g, "pooled_projections", pooled, -1, c->pooled_width, "pooled_projection_dim");
    dit_check_batch(g, "pooled_projections", pooled, batch);
    dit_check_batch(g, "timestep", dit_named_find(in, "timestep"), batch);
    if (!dit_is_none(guidance)) {
        dit_check_batch(g, "guidance", guidance, batch);
        guidance = thousandfold(g, guidance, dtype);
    }
    dit_tensor t = thousandfold(g, dit_named_find(in, "timestep"), dtype);
    return nn_time_text_embedding(g, "time_text_embed", t, guidance, pooled, (int64_t)c->heads * c->head_width);
}

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_flux_config *c = config;
    int64_t C = (int64_t)c->heads * c->head_width;
    dit_tensor x = dit_named_find(in, "hidden_states");            // (B, T, C_in)
    dit_tensor text = dit_named_find(in, "encoder_hidden_states"); // (B, S, C_text)
    dit_check_extent(g, "hidden_states", x, -1, c->in_channels, "in_channels");
    dit_check_extent(g, "encoder_hidden_states", text, -1, c->text_width, "joint_attention_dim");
    dit_check_extent(g, "encoder_hidden_states", text, 0, dit_extent(g, x, 0), "as many samples as hidden_states");
    dit_tensor at[] = {positions(g, c, in, "txt_ids", text), positions(g, c, in, "img_ids", x)};
    struct flux f = {
        .config = c,
        .attention = {.heads = c->heads,
                      .head_width = c->head_width,
                      .qk_norm = NN_QK_RMS_ONCE,
                      .qk_norm_eps = 1e-6f,
                      .rope = dit_rope_table(g, dit_concat(g, at, 2, 0), c->axes, c->rope, 10000, DIT_F64),
                      .rope_interleaved = true},
        .condition = condition(g, c, in, dit_dtype_of(g, x)),
    };
    x = nn_linear(g, "x_embedder", x, C, true);
    text = nn_linear(g, "context_embedder", text, C, true);
    x = two_streams(g, &f, in, x, &text);

    nn_sequence s = nn_sequence_join(
        g, (nn_segment[]){[TEXT] = {.tokens = text, .role = TEXT}, [IMAGE] = {.tokens = x, .role = IMAGE}}, 2);
    x = one_stream(g, &f, in, &s);
    x = nn_adaptive_norm_continuous(g, "norm_out", x, f.condition, &NORM);
    x = nn_linear_from(g, "proj_out", x, (int64_t)c->patch * c->patch * c->out_channels, true, DIT_INITIAL_ZEROS);
    dit_named_add(out, "sample", x); // (B, T, patch^2 * C_out)
}

// axes_dims_rope: even counts that add up to a head.
static void configure_rope(dit_flux_config *c, dit_json json, dit_error *error)
{
    int64_t rope[DIT_FLUX_AXES] = {16, 56, 56}, sum = 0;
    c->axes = DIT_FLUX_AXES;
    if (dit_json_has(json, "axes_dims_rope"))
        c->axes = (int)dit_json_ints(json, "axes_dims_rope", rope, 1, DIT_FLUX_AXES, 2, 1 << 16, error);
    for (int i = 0; i < c->axes; i++) {
        c->rope[i] = (int)rope[i];
        sum += rope[i];
        if (rope[i] % 2)
            dit_json_fail(json, "axes_dims_rope", error, "has %d; features turn in pairs", c->rope[i]);
    }
    if (sum != c->head_width)
        dit_json_fail(json, "axes_dims_rope", error, "adds up to %lld; attention_head_dim is %d", (long long)sum,
                      c->head_width);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_flux_config *c = config;
    c->patch = (int)dit_json_int_or(json, "patch_size", 1, 1, 1024, error);
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 64, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(json, "out_channels", c->in_channels, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", 19, 0, 4096, error);
    c->single_layers = (int)dit_json_int_or(json, "num_single_layers", 38, 0, 4096, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 128, 2, 1 << 14, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 24, 1, 1 << 14, error);
    c->text_width = (int)dit_json_int_or(json, "joint_attention_dim", 4096, 1, 1 << 20, error);
    c->pooled_width = (int)dit_json_int_or(json, "pooled_projection_dim", 768, 1, 1 << 20, error);
    c->guidance = dit_json_bool_or(json, "guidance_embeds", false, error);
    configure_rope(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"hidden_states", DIT_REQUIRED, 3, 3},
                                         {"encoder_hidden_states", DIT_REQUIRED, 3, 3},
                                         {"pooled_projections", DIT_REQUIRED, 2, 2},
                                         {"timestep", DIT_REQUIRED, 1, 1},
                                         {"img_ids", DIT_REQUIRED, 2, 3},
                                         {"txt_ids", DIT_REQUIRED, 2, 3},
                                         {"guidance", DIT_OPTIONAL, 1, 1},
                                         {"controlnet_block_samples.*", DIT_OPTIONAL, 3, 3},
                                         {"controlnet_single_block_samples.*", DIT_OPTIONAL, 3, 3},
                                         {"controlnet_blocks_repeat", DIT_CONSTANT, 0, 0},
                                         {0}};

const dit_model_class dit_model_class_flux = {
    .name = "FluxTransformer2DModel",
    .config_bytes = sizeof(dit_flux_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
