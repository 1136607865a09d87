// models/hunyuan_dit.c: text-to-image diffusion transformer with two text encoders and long skip connections.
// Hunyuan-DiT: Li et al. 2024 (arXiv 2405.08748), section 2.1, figure 7; long skips: Bao et al. 2022 (arXiv
// 2209.12152). Weight names: diffusers HunyuanDiT2DModel.
#include "models/hunyuan_dit.h"
#include "models/arguments.h"
#include "nn/adaptive_norm.h"
#include <math.h>

enum { MOST_LAYERS = 1024, POOL_HEADS = 8, SIZES = 6, SIZE_FEATURES = 256 };

// NAME.linear_2(silu(NAME.linear_1(x))), through `hidden` features.
static dit_tensor project(dit_graph *g, const char *name, dit_tensor x, int64_t hidden, int64_t features)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name)
        y = nn_linear(g, "linear_2", dit_silu(g, nn_linear(g, "linear_1", x, hidden, true)), features, true);
    return y;
}

// (B, 1 + S, C) -> (B, 1 + S, heads, C / heads)
static dit_tensor pool_heads(dit_graph *g, const char *name, dit_tensor x)
{
    int64_t C = dit_extent(g, x, 2);
    dit_tensor y = nn_linear(g, name, x, C, true);
    return dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), POOL_HEADS, C / POOL_HEADS));
}

// One vector of a text's states: their mean attends to itself and all of them. x: (B, S, C) -> (B, features).
static dit_tensor attention_pool(dit_graph *g, dit_tensor x, int64_t features)
{
    enum { TOKENS = 1 << 1 };
    int64_t B = dit_extent(g, x, 0), S = dit_extent(g, x, 1), C = dit_extent(g, x, 2);
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "pooler") {
        dit_initial start = DIT_INITIAL_NORMAL(1 / sqrtf((float)C));
        dit_tensor positions = dit_parameter(g, "positional_embedding", DIT_SHAPE(S + 1, C), start);
        x = dit_concat(g, (dit_tensor[]){dit_mean(g, x, TOKENS, true), x}, 2, 1); // (B, 1 + S, C)
        x = dit_add(g, x, dit_reshape(g, positions, DIT_SHAPE(1, S + 1, C)));
        dit_tensor q = pool_heads(g, "q_proj", dit_slice(g, x, 1, 0, 1, 1));
        dit_tensor k = pool_heads(g, "k_proj", x), v = pool_heads(g, "v_proj", x);
        y = dit_attention(g, q, k, v, DIT_NONE, 1 / sqrtf((float)(C / POOL_HEADS)), false); // (B, 1, heads, C / heads)
        y = nn_linear(g, "c_proj", dit_reshape(g, y, DIT_SHAPE(B, C)), features, true);
    }
    return y;
}

// Time plus what the pooled text, the picture's sizes and its style say, (B, C).
static dit_tensor embed_condition(dit_graph *g, const dit_hunyuan_dit_config *c, const dit_named_tensors *in,
                                  dit_dtype dtype)
{
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = dtype};
    dit_tensor text = dit_named_find(in, "encoder_hidden_states_t5"), y = DIT_NONE;
    int64_t B = dit_extent(g, text, 0);
    DIT_SCOPE (g, "time_extra_emb") {
        y = nn_time_embedding(g, "timestep_embedder", dit_named_find(in, "timestep"), c->width, &time);
        dit_tensor extra = attention_pool(g, text, c->pooled_features);
        if (c->size_and_style) {
            dit_tensor sizes = dit_named_find(in, "image_meta_size");
            sizes = dit_cast(g, dit_reshape(g, sizes, DIT_SHAPE(B * SIZES)), DIT_F32);
            sizes = dit_timestep_embedding(g, sizes, SIZE_FEATURES, true, 0, 10000, 1);
            sizes = dit_cast(g, dit_reshape(g, sizes, DIT_SHAPE(B, SIZES * SIZE_FEATURES)), dtype);
            dit_tensor style = nn_embedding(g, "style_embedder", 1, c->width, dit_named_find(in, "style"));
            extra = dit_concat(g, (dit_tensor[]){extra, sizes, dit_cast(g, style, dtype)}, 3, 1);
        }
        y = dit_add(g, y, project(g, "extra_embedder", extra, 4 * (int64_t)c->width, c->width));
    }
    return y;
}

// Both texts in a row, (B, S, K), with learned padding where their masks are zero.
static dit_tensor embed_texts(dit_graph *g, const dit_hunyuan_dit_config *c, const dit_named_tensors *in)
{
    int64_t length = c->text_length + c->text_length_t5, B = dit_extent(g, dit_named_find(in, "hidden_states"), 0);
    dit_tensor t5 = dit_named_find(in, "encoder_hidden_states_t5");
    t5 = project(g, "text_embedder", t5, 4 * (int64_t)c->text_features_t5, c->text_features);
    dit_tensor texts = dit_concat(g, (dit_tensor[]){dit_named_find(in, "encoder_hidden_states"), t5}, 2, 1);
    dit_tensor mask = dit_concat(g,
                                 (dit_tensor[]){dit_cast(g, dit_named_find(in, "text_embedding_mask"), DIT_BOOL),
                                                dit_cast(g, dit_named_find(in, "text_embedding_mask_t5"), DIT_BOOL)},
                                 2, 1);
    dit_tensor padding =
        dit_parameter(g, "text_embedding_padding", DIT_SHAPE(length, c->text_features), DIT_INITIAL_NORMAL(1));
    return dit_where(g, dit_reshape(g, mask, DIT_SHAPE(B, length, 1)), texts,
                     dit_reshape(g, padding, DIT_SHAPE(1, length, c->text_features)));
}

// x cos + x' sin with x' the pairs (a, b) of x as (-b, a), in f32. x: (B, T, H, D); cos, sin: (T, D). As general as
// the argument is: the two features of a pair may have angles of their own.
static dit_tensor turn(dit_graph *g, dit_tensor x, const dit_tensor rope[2])
{
    const dit_shape shape = *dit_shape_of(g, x);
    dit_dtype dtype = dit_dtype_of(g, x);
    if (dit_is_none(rope[0]))
        return x;
    dit_tensor pairs = dit_reshape(g, dtype == DIT_F32 ? x : dit_cast(g, x, DIT_F32),
                                   DIT_SHAPE(shape.dim[0], shape.dim[1], shape.dim[2], shape.dim[3] / 2, 2));
    dit_tensor turned[] = {dit_affine(g, dit_slice(g, pairs, 4, 1, 1, 1), -1, 0), dit_slice(g, pairs, 4, 0, 1, 1)};
    dit_shape table = DIT_SHAPE(1, shape.dim[1], 1, shape.dim[3]);
    dit_tensor y = dit_mul(g, dit_reshape(g, pairs, shape), dit_reshape(g, rope[0], table));
    dit_tensor z = dit_mul(g, dit_reshape(g, dit_concat(g, turned, 2, 4), shape), dit_reshape(g, rope[1], table));
    y = dit_add(g, y, z);
    return dtype == DIT_F32 ? y : dit_cast(g, y, dtype);
}

// Of x: (B, T, C) to itself, or to texts (B, S, K), whose keys are not turned.
static dit_tensor attention(dit_graph *g, const dit_hunyuan_dit_config *c, const char *name, dit_tensor x,
                            dit_tensor texts, const dit_tensor rope[2])
{
    const nn_attention_options o = {.head_width = c->head_width, .qk_norm = NN_QK_LAYER, .qk_norm_eps = 1e-6f};
    dit_tensor from = dit_is_none(texts) ? x : texts, y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor q = turn(g, nn_heads(g, "to_q", "norm_q", x, c->heads, DIT_NONE, &o), rope);
        dit_tensor k = nn_heads(g, "to_k", "norm_k", from, c->heads, DIT_NONE, &o);
        dit_tensor v = dit_tap(g, "v", nn_heads(g, "to_v", NULL, from, c->heads, DIT_NONE, &o));
        q = dit_tap(g, "q", q);
        k = dit_tap(g, "k", dit_is_none(texts) ? turn(g, k, rope) : k);
        y = dit_attention(g, q, k, v, DIT_NONE, 1 / sqrtf((float)c->head_width), false); // (B, T, H, D)
        y = nn_linear(g, "to_out.0", dit_reshape(g, y, *dit_shape_of(g, x)), c->width, true);
    }
    return y;
}

struct condition {
    dit_tensor embedded; // (B, C)
    dit_tensor texts;    // (B, S, K)
    dit_tensor rope[2];  // cosines and sines, (T, D) each, or none
};

// One block. x: (B, T, C); skip: like x, or none.
static dit_tensor block(dit_graph *g, const dit_hunyuan_dit_config *c, dit_tensor x, dit_tensor skip,
                        const struct condition *on)
{
    int64_t B = dit_extent(g, on->embedded, 0);
    if (!dit_is_none(skip)) {
        x = nn_layer_norm(g, "skip_norm", dit_concat(g, (dit_tensor[]){x, skip}, 2, 2), 1e-6f);
        x = nn_linear(g, "skip_linear", x, c->width, true);
    }
    dit_tensor shift = nn_linear(g, "norm1.linear", dit_silu(g, on->embedded), c->width, true);
    dit_tensor h =
        dit_add(g, nn_layer_norm(g, "norm1.norm", x, 1e-6f), dit_reshape(g, shift, DIT_SHAPE(B, 1, c->width)));
    x = dit_tap(g, "attn1.out", dit_add(g, x, attention(g, c, "attn1", h, DIT_NONE, on->rope)));

    h = attention(g, c, "attn2", nn_layer_norm(g, "norm2", x, 1e-6f), on->texts, on->rope);
    x = dit_tap(g, "attn2.out", dit_add(g, x, h));

    h = nn_feed_forward(g, "ff", nn_layer_norm(g, "norm3", x, 1e-6f), c->feed_forward_width, c->feed_forward);
    return dit_tap(g, "out", dit_add(g, x, h));
}

// How many blocks have a skip, and as many leave one.
static int skips_of(const dit_hunyuan_dit_config *c)
{
    return c->layers / 2 > 1 ? c->layers / 2 - 1 : 0;
}

// All blocks: the last ones see the outputs of the first ones, the latest first, plus what a control network adds.
static dit_tensor blocks(dit_graph *g, const dit_hunyuan_dit_config *c, dit_tensor x, const dit_named_tensors *in,
                         const struct condition *on)
{
    int count = skips_of(c), controls = dit_named_members(in, "controlnet_block_samples"), left = 0;
    dit_tensor skips[MOST_LAYERS / 2];
    if (controls && controls != count)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "controlnet_block_samples has %d members; the model has %d skips", controls,
                       count);
    for (int i = 0; i < c->layers; i++) {
        dit_tensor skip = DIT_NONE;
        if (i > c->layers / 2) {
            skip = skips[--left];
            if (controls)
                skip = dit_add(g, skip, dit_named_member(g, in, "controlnet_block_samples", left));
        }
        DIT_SCOPE (g, "blocks.%d", i)
            x = block(g, c, x, skip, on);
        if (i < count)
            skips[left++] = x;
    }
    return x;
}

static void check_text(dit_graph *g, const dit_named_tensors *in, const char *states, const char *mask, int64_t batch,
                       int length, const char *length_key, int features, const char *features_key)
{
    dit_tensor text = dit_named_find(in, states);
    dit_check_extent(g, states, text, 0, batch, "a text for each sample");
    dit_check_extent(g, states, text, 1, length, length_key);
    dit_check_extent(g, states, text, 2, features, features_key);
    dit_check_extent(g, mask, dit_named_find(in, mask), 0, batch, "a row for each text");
    dit_check_extent(g, mask, dit_named_find(in, mask), 1, length, length_key);
}

static void check_arguments(dit_graph *g, const dit_hunyuan_dit_config *c, const dit_named_tensors *in, int64_t tokens)
{
    dit_tensor latents = dit_named_find(in, "hidden_states"), sizes = dit_named_find(in, "image_meta_size"),
               style = dit_named_find(in, "style"), cosine = dit_named_find(in, "image_rotary_emb.0"),
               sine = dit_named_find(in, "image_rotary_emb.1");
    int64_t B = dit_extent(g, latents, 0);
    dit_check_extent(g, "hidden_states", latents, 1, c->in_channels, "in_channels");
    dit_check_batch(g, "timestep", dit_named_find(in, "timestep"), B);
    if (!dit_dtype_is_float(dit_dtype_of(g, dit_named_find(in, "timestep"))))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "timestep holds integers; this model takes floats");
    check_text(g, in, "encoder_hidden_states", "text_embedding_mask", B, c->text_length, "text_len", c->text_features,
               "cross_attention_dim");
    check_text(g, in, "encoder_hidden_states_t5", "text_embedding_mask_t5", B, c->text_length_t5, "text_len_t5",
               c->text_features_t5, "cross_attention_dim_t5");
    if (c->size_and_style && (dit_is_none(sizes) || dit_is_none(style)))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is missing; the model has use_style_cond_and_image_meta_size",
                       dit_is_none(sizes) ? "image_meta_size" : "style");
    if (c->size_and_style) {
        if (dit_shape_count(dit_shape_of(g, sizes)) != B * SIZES)
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "image_meta_size must hold %d numbers a sample", SIZES);
        dit_check_extent(g, "style", style, 0, B, "a style for each sample");
        if (dit_dtype_is_float(dit_dtype_of(g, style)))
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "style holds floats; it is the index of one");
    }
    if (dit_is_none(cosine) != dit_is_none(sine))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "image_rotary_emb has one member; it takes cosines and sines");
    for (int i = 0; i < 2 && !dit_is_none(cosine); i++) {
        dit_check_extent(g, i ? "image_rotary_emb.1" : "image_rotary_emb.0", i ? sine : cosine, 0, tokens,
                         "the patches");
        dit_check_extent(g, i ? "image_rotary_emb.1" : "image_rotary_emb.0", i ? sine : cosine, 1, c->head_width,
                         "attention_head_dim");
    }
}

static const dit_argument arguments[] = {{"hidden_states", true, 4, 4},
                                         {"timestep", true, 1, 1},
                                         {"encoder_hidden_states", true, 3, 3},
                                         {"text_embedding_mask", true, 2, 2},
                                         {"encoder_hidden_states_t5", true, 3, 3},
                                         {"text_embedding_mask_t5", true, 2, 2},
                                         {"image_meta_size", false, 1, 2},
                                         {"style", false, 1, 1},
                                         {"image_rotary_emb.0", false, 2, 2},
                                         {"image_rotary_emb.1", false, 2, 2},
                                         {"controlnet_block_samples.*", false, 3, 3},
                                         {0}};

// hidden_states: (B, C_in, H, W); timestep: (B); texts: (B, S, K) each, with masks (B, S), 1 for a token and 0 for
// padding; image_meta_size: (B, 6) or (6 B); style: (B); image_rotary_emb: (T, D) twice. Gives (B, C_out, H, W).
static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_hunyuan_dit_config *c = config;
    dit_tensor latents = dit_named_find(in, "hidden_states");
    int64_t rows = dit_extent(g, latents, 2) / c->patch, columns = dit_extent(g, latents, 3) / c->patch;
    check_arguments(g, c, in, rows * columns);
    if (dit_graph_error(g)->status)
        return;
    struct condition on = {.embedded = embed_condition(g, c, in, dit_dtype_of(g, latents)),
                           .texts = embed_texts(g, c, in)};
    for (int i = 0; i < 2; i++) {
        on.rope[i] = dit_named_find(in, i ? "image_rotary_emb.1" : "image_rotary_emb.0");
        if (!dit_is_none(on.rope[i]))
            on.rope[i] = dit_cast(g, on.rope[i], DIT_F32);
    }
    dit_tensor x = nn_patch_embed_2d(g, "pos_embed.proj", latents, c->patch, c->width); // (B, T, C)
    x = blocks(g, c, x, in, &on);
    x = nn_adaptive_norm_continuous(g, "norm_out", x, on.embedded, &(nn_adaptive_norm_options){.eps = 1e-6f});
    x = nn_linear_from(g, "proj_out", x, (int64_t)c->patch * c->patch * c->out_channels, true, DIT_INITIAL_ZEROS);
    dit_named_add(out, "sample", nn_unpatchify_2d(g, x, c->patch, c->out_channels, rows, columns));
}

static void check(const dit_hunyuan_dit_config *c, dit_json json, dit_error *error)
{
    if (c->width != c->heads * c->head_width)
        dit_json_fail(json, "hidden_size", error, "is %d; %d heads of %d features make %d", c->width, c->heads,
                      c->head_width, c->heads * c->head_width);
    if (c->head_width % 2)
        dit_json_fail(json, "attention_head_dim", error, "is %d; features turn in pairs", c->head_width);
    if (c->layers > 1 && c->layers % 2)
        dit_json_fail(json, "num_layers", error, "is %d; every skip connection needs two blocks", c->layers);
    if (c->text_features_t5 % POOL_HEADS)
        dit_json_fail(json, "cross_attention_dim_t5", error, "is %d; it is pooled by %d heads", c->text_features_t5,
                      POOL_HEADS);
    if (c->feed_forward_width < 1)
        dit_json_fail(json, "mlp_ratio", error, "leaves the feed-forward no feature");
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    // Nothing is computed with it, here or in diffusers.
    static const char *const ignored[] = {"norm_type", NULL};
    dit_hunyuan_dit_config *c = config;
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 16, 1, 1024, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 88, 1, 4096, error);
    c->width = (int)dit_json_int_or(json, "hidden_size", 1152, 1, 1 << 22, error);
    c->in_channels = (int)dit_json_int(json, "in_channels", 1, 1 << 16, error);
    c->out_channels = c->in_channels * (dit_json_switch_or(json, "learn_sigma", true, error) ? 2 : 1);
    c->layers = (int)dit_json_int_or(json, "num_layers", 28, 1, MOST_LAYERS, error);
    c->patch = (int)dit_json_int(json, "patch_size", 1, 1024, error);
    c->text_features = (int)dit_json_int_or(json, "cross_attention_dim", 1024, 1, 1 << 20, error);
    c->text_features_t5 = (int)dit_json_int_or(json, "cross_attention_dim_t5", 2048, 1, 1 << 20, error);
    c->pooled_features = (int)dit_json_int_or(json, "pooled_projection_dim", 1024, 1, 1 << 20, error);
    c->text_length = (int)dit_json_int_or(json, "text_len", 77, 1, 1 << 20, error);
    c->text_length_t5 = (int)dit_json_int_or(json, "text_len_t5", 256, 1, 1 << 20, error);
    c->size_and_style = dit_json_switch_or(json, "use_style_cond_and_image_meta_size", true, error);
    c->feed_forward_width =
        (int64_t)(dit_json_number_or(json, "mlp_ratio", 4, 0, 1024, error) * (c->heads * c->head_width));
    c->feed_forward = (nn_feed_forward_kind)dit_json_choice_or(json, "activation_fn", nn_feed_forward_names, 0, error);
    c->sample_size = (int)dit_json_int_or(json, "sample_size", 32, 1, 1 << 16, error);
    dit_json_ignore(json, ignored, error);
    check(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_hunyuan_dit = {
    .name = "HunyuanDiT2DModel",
    .config_bytes = sizeof(dit_hunyuan_dit_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
