// models/z_image.c: text-to-image diffusion transformer over one sequence of picture and caption.
// Z-Image: Z-Image team 2025 (arXiv 2511.22699), section 3, figure 4. Weight names: diffusers ZImageTransformer2DModel.
#include "models/lumina.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_PATCHES = 8, MOST_SAMPLES = 16, MULTIPLE = 32 }; // a sequence is padded to a multiple of 32 tokens

typedef struct z_image_config {
    int heads, head_width, width;
    int channels;
    int layers, refiner_layers;
    int patches, patch[MOST_PATCHES], frames[MOST_PATCHES]; // the kinds of patches that it has layers for
    int caption_features;
    bool qk_norm;
    float norm_eps, time_scale, theta;
    int split[3], lengths[3]; // features of a head that turn with an axis, and how many positions it has
} z_image_config;

// A batch of token lists, padded to the longest with zeros that nobody attends to.
struct sequence {
    int64_t length[MOST_SAMPLES]; // of each, its own padding to a multiple of 32 included
    int64_t longest;
    dit_tensor tokens; // (B, longest, C)
    dit_tensor rope;   // (B, longest, D/2, 2)
    dit_tensor mask;   // (B, 1, 1, longest) bool, or none when all are as long
};

static int64_t condition_width(const z_image_config *c)
{
    return c->width < 256 ? c->width : 256;
}

// One block. x: (B, T, C); condition: (B, C'), or none for a block without modulation.
static dit_tensor block(dit_graph *g, const z_image_config *c, dit_tensor x, dit_tensor condition,
                        const struct sequence *s)
{
    static const char *const feed_forward[] = {"w1", "w3", "w2"};
    const nn_attention_options attention = {.heads = c->heads,
                                            .head_width = c->head_width,
                                            .no_qkv_bias = true,
                                            .no_output_bias = true,
                                            .qk_norm = c->qk_norm ? NN_QK_RMS : NN_QK_NONE,
                                            .qk_norm_eps = 1e-5f,
                                            .rope = s->rope,
                                            .rope_interleaved = true,
                                            .mask = s->mask};
    dit_tensor m[4] = {DIT_NONE, DIT_NONE, DIT_NONE, DIT_NONE}; // (B, 1, C): scale, gate of attention, feed-forward
    if (!dit_is_none(condition)) {
        dit_tensor all = nn_linear_from(g, "adaLN_modulation.0", condition, 4 * c->width, true, DIT_INITIAL_ZEROS);
        nn_chunk(g, dit_reshape(g, all, DIT_SHAPE(dit_extent(g, all, 0), 1, 4 * (int64_t)c->width)), 2, 4, m);
    }
    dit_tensor h = lumina_norm(g, "attention_norm1", x, m[0], c->norm_eps);
    h = nn_attention(g, "attention", h, DIT_NONE, &attention);
    x = dit_tap(g, "attention.out", lumina_add(g, "attention_norm2", x, m[1], h, c->norm_eps));

    h = lumina_norm(g, "ffn_norm1", x, m[2], c->norm_eps);
    h = nn_swiglu(g, "feed_forward", h, (int64_t)(c->width / 3.0 * 8), feed_forward);
    return dit_tap(g, "out", lumina_add(g, "ffn_norm2", x, m[3], h, c->norm_eps));
}

// (B) -> (B, C'): the time, sinusoids first, through two layers.
static dit_tensor embed_time(dit_graph *g, const z_image_config *c, dit_tensor t, dit_dtype dtype)
{
    dit_tensor y = DIT_NONE;
    t = dit_affine(g, t, c->time_scale, 0);
    if (dit_dtype_of(g, t) != DIT_F32)
        t = dit_cast(g, t, DIT_F32);
    DIT_SCOPE (g, "t_embedder.mlp") {
        y = dit_timestep_embedding(g, t, 256, true, 0, 10000, 1);
        if (dtype != DIT_F32)
            y = dit_cast(g, y, dtype);
        y = dit_silu(g, nn_linear(g, "0", y, 1024, true));
        y = nn_linear(g, "2", y, condition_width(c), true);
    }
    return y;
}

// Cosines and sines of tokens at positions (t, y, x), appended to `table`; angles are made in f64 and rounded to f32,
// as the published class does.
static float *add_angles(const z_image_config *c, const int64_t position[3], float *table)
{
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < c->split[axis]; i += 2) {
            double frequency = 1 / pow((double)c->theta, (double)i / c->split[axis]);
            float angle = (float)((double)position[axis] * frequency);
            *table++ = cosf(angle);
            *table++ = sinf(angle);
        }
    return table;
}

// A grid of tokens that starts at `t`, filled up to `length` with tokens at the origin. (longest, D/2, 2) of `table`.
static void place_grid(const z_image_config *c, const int64_t grid[3], int64_t t, int64_t length, float *table)
{
    int64_t count = grid[0] * grid[1] * grid[2];
    for (int64_t n = 0; n < length; n++) {
        int64_t at[3] = {t + n / (grid[1] * grid[2]), n / grid[2] % grid[1], n % grid[2]};
        table = add_angles(c, n < count ? at : (const int64_t[]){0, 0, 0}, table);
    }
}

// (1, N, C) followed by zeros up to `length`.
static dit_tensor fill_up(dit_graph *g, dit_tensor x, int axis, int64_t length)
{
    int64_t after[DIT_MAX_RANK] = {0};
    after[axis] = length - dit_extent(g, x, axis);
    return after[axis] ? dit_pad(g, x, (const int64_t[DIT_MAX_RANK]){0}, after, DIT_PAD_VALUE, 0) : x;
}

// Which tokens are inside their sequences, (B, 1, 1, longest); none when all are.
static dit_tensor length_mask(dit_graph *g, const int64_t *length, int64_t batch, int64_t longest)
{
    bool even = true;
    for (int64_t b = 0; b < batch; b++)
        even = even && length[b] == longest;
    uint8_t *inside = even ? NULL : malloc((size_t)(batch * longest));
    if (even)
        return DIT_NONE;
    if (!inside) {
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for a mask over %lld tokens", (long long)longest);
        return DIT_NONE;
    }
    for (int64_t i = 0; i < batch * longest; i++)
        inside[i] = i % longest < length[i / longest];
    dit_tensor mask = dit_constant(g, DIT_BOOL, DIT_SHAPE(batch, 1, 1, longest), inside);
    free(inside);
    return mask;
}

static void set_lengths(struct sequence *s, int64_t batch)
{
    s->longest = 0;
    for (int64_t b = 0; b < batch; b++)
        s->longest = s->length[b] > s->longest ? s->length[b] : s->longest;
}

// Tokens x[b] (1, N_b, C), padded each with `pad_token` to a multiple of 32, in one batch. grid[b] of them start at
// start[b] on the first axis.
static void prepare(dit_graph *g, const z_image_config *c, const char *pad_token, const dit_tensor *x, int64_t batch,
                    const int64_t (*grid)[3], const int64_t *start, struct sequence *s)
{
    dit_tensor rows[MOST_SAMPLES];
    int64_t pairs = c->head_width / 2;
    dit_tensor pad = dit_parameter(g, pad_token, DIT_SHAPE(1, c->width), DIT_INITIAL_ZEROS);
    for (int64_t b = 0; b < batch; b++)
        s->length[b] = (dit_extent(g, x[b], 1) + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
    set_lengths(s, batch);
    dit_shape table_shape = DIT_SHAPE(batch, s->longest, pairs, 2);
    float *table = calloc((size_t)dit_shape_count(&table_shape), sizeof *table);
    if (!table) {
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for positions of %lld tokens", (long long)s->longest);
        return;
    }
    for (int64_t b = 0; b < batch; b++) {
        int64_t missing = s->length[b] - dit_extent(g, x[b], 1);
        dit_tensor both[] = {x[b], DIT_NONE};
        if (missing) {
            both[1] = dit_reshape(g, pad, DIT_SHAPE(1, 1, c->width));
            if (dit_dtype_of(g, pad) != dit_dtype_of(g, x[b]))
                both[1] = dit_cast(g, both[1], dit_dtype_of(g, x[b]));
            both[1] = dit_expand(g, both[1], DIT_SHAPE(1, missing, c->width));
        }
        rows[b] = fill_up(g, missing ? dit_concat(g, both, 2, 1) : x[b], 1, s->longest);
        place_grid(c, grid[b], start[b], s->length[b], table + b * s->longest * pairs * 2);
    }
    s->tokens = dit_concat(g, rows, (int)batch, 0);
    s->rope = dit_constant(g, DIT_F32, table_shape, table);
    s->mask = length_mask(g, s->length, batch, s->longest);
    free(table);
}

// Each sample's tokens of `first`, then of `second`, padded to the longest.
static void join(dit_graph *g, const struct sequence *first, const struct sequence *second, int64_t batch,
                 struct sequence *s)
{
    dit_tensor tokens[MOST_SAMPLES], rope[MOST_SAMPLES];
    const struct sequence *parts[] = {first, second};
    for (int64_t b = 0; b < batch; b++)
        s->length[b] = first->length[b] + second->length[b];
    set_lengths(s, batch);
    for (int64_t b = 0; b < batch; b++) {
        dit_tensor t[2], r[2];
        for (int i = 0; i < 2; i++) {
            t[i] = dit_slice(g, dit_slice(g, parts[i]->tokens, 0, b, 1, 1), 1, 0, parts[i]->length[b], 1);
            r[i] = dit_slice(g, dit_slice(g, parts[i]->rope, 0, b, 1, 1), 1, 0, parts[i]->length[b], 1);
        }
        tokens[b] = fill_up(g, dit_concat(g, t, 2, 1), 1, s->longest);
        rope[b] = fill_up(g, dit_concat(g, r, 2, 1), 1, s->longest);
    }
    s->tokens = dit_concat(g, tokens, (int)batch, 0);
    s->rope = dit_concat(g, rope, (int)batch, 0);
    s->mask = length_mask(g, s->length, batch, s->longest);
}

// What a control network adds after block `i` to all tokens, (B, T, C).
static dit_tensor add_control(dit_graph *g, const dit_named_tensors *in, dit_tensor x, int i)
{
    char name[48];
    snprintf(name, sizeof name, "controlnet_block_samples.%d", i);
    dit_tensor control = dit_named_find(in, name);
    return dit_is_none(control) ? x : dit_add(g, x, control);
}

static dit_tensor blocks(dit_graph *g, const z_image_config *c, const char *name, int count, dit_tensor condition,
                         const struct sequence *s, const dit_named_tensors *control)
{
    dit_tensor x = s->tokens;
    for (int i = 0; i < count; i++) {
        DIT_SCOPE (g, "%s.%d", name, i)
            x = block(g, c, x, condition, s);
        x = control ? add_control(g, control, x, i) : x;
    }
    return x;
}

// layer_norm(x) * (1 + linear(silu(condition))), projected.
static dit_tensor final_layer(dit_graph *g, const z_image_config *c, dit_tensor x, dit_tensor condition,
                              int64_t features)
{
    dit_tensor scale =
        nn_linear_from(g, "adaLN_modulation.1", dit_silu(g, condition), c->width, true, DIT_INITIAL_ZEROS);
    scale = dit_reshape(g, scale, DIT_SHAPE(dit_extent(g, scale, 0), 1, c->width));
    x = dit_mul(g, nn_layer_norm(g, NULL, x, 1e-6f), dit_affine(g, scale, 1, 1));
    return nn_linear_from(g, "linear", x, features, true, DIT_INITIAL_ZEROS);
}

// The layers of the kinds of patches that this call does not use: they belong to the file.
static void declare_others(dit_graph *g, const z_image_config *c, int used)
{
    for (int i = 0; i < c->patches; i++) {
        int64_t features = (int64_t)c->channels * c->patch[i] * c->patch[i] * c->frames[i];
        if (i == used)
            continue;
        DIT_SCOPE (g, "all_x_embedder.%d-%d", c->patch[i], c->frames[i]) {
            dit_parameter(g, "weight", DIT_SHAPE(c->width, features), DIT_INITIAL_ZEROS);
            dit_parameter(g, "bias", DIT_SHAPE(c->width), DIT_INITIAL_ZEROS);
        }
        DIT_SCOPE (g, "all_final_layer.%d-%d", c->patch[i], c->frames[i]) {
            dit_parameter(g, "linear.weight", DIT_SHAPE(features, c->width), DIT_INITIAL_ZEROS);
            dit_parameter(g, "linear.bias", DIT_SHAPE(features), DIT_INITIAL_ZEROS);
            dit_parameter(g, "adaLN_modulation.1.weight", DIT_SHAPE(c->width, condition_width(c)), DIT_INITIAL_ZEROS);
            dit_parameter(g, "adaLN_modulation.1.bias", DIT_SHAPE(c->width), DIT_INITIAL_ZEROS);
        }
    }
}

// Which kind of patches the arguments ask for: an index, or -1 and an error.
static int choose_patch(dit_graph *g, const z_image_config *c, const dit_named_tensors *in)
{
    int64_t patch = 2, frames = 1;
    dit_named_integers(g, in, "patch_size", &patch, 1);
    dit_named_integers(g, in, "f_patch_size", &frames, 1);
    for (int i = 0; i < c->patches; i++)
        if (c->patch[i] == patch && c->frames[i] == frames)
            return i;
    dit_graph_fail(g, DIT_BAD_ARGUMENT, "patch_size %lld with f_patch_size %lld is not in all_patch_size",
                   (long long)patch, (long long)frames);
    return -1;
}

// The samples, and for each its caption's tokens (1, L, C), its picture's (1, N, C) and their grids.
struct samples {
    int64_t count;
    dit_tensor picture[MOST_SAMPLES], caption[MOST_SAMPLES];
    int64_t grid[MOST_SAMPLES][3], caption_grid[MOST_SAMPLES][3], caption_start[MOST_SAMPLES], start[MOST_SAMPLES];
};

// Picture `b`: its grid of patches, checked against the positions that there are.
static void measure(dit_graph *g, const z_image_config *c, int kind, const char *name, dit_tensor x, int64_t b,
                    struct samples *s)
{
    const int64_t patch[] = {c->frames[kind], c->patch[kind], c->patch[kind]};
    dit_check_extent(g, name, x, 0, c->channels, "in_channels");
    for (int axis = 0; axis < 3; axis++) {
        int64_t extent = dit_extent(g, x, axis + 1);
        s->grid[b][axis] = extent / patch[axis];
        if (extent % patch[axis] || s->grid[b][axis] + (axis ? 0 : s->start[b]) > c->lengths[axis])
            dit_graph_fail(g, DIT_BAD_ARGUMENT,
                           "%s has an extent of %lld: patches of %lld do not fill it, or leave axes_lens (%d)", name,
                           (long long)extent, (long long)patch[axis], c->lengths[axis]);
    }
}

static bool gather_samples(dit_graph *g, const z_image_config *c, int kind, const dit_named_tensors *in,
                           struct samples *s)
{
    s->count = dit_named_members(in, "x");
    if (s->count < 1 || s->count > MOST_SAMPLES || dit_named_members(in, "cap_feats") != s->count)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "x has %lld members and cap_feats %d; they are lists of 1 to %d alike",
                       (long long)s->count, dit_named_members(in, "cap_feats"), MOST_SAMPLES);
    for (int64_t b = 0; b < s->count && !dit_graph_error(g)->status; b++) {
        char name[32], caption[32];
        snprintf(name, sizeof name, "x.%d", (int)b);
        snprintf(caption, sizeof caption, "cap_feats.%d", (int)b);
        dit_tensor x = dit_named_member(g, in, "x", (int)b), text = dit_named_member(g, in, "cap_feats", (int)b);
        int64_t length = (dit_extent(g, text, 0) + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
        s->caption_start[b] = 1;
        s->start[b] = length + 1;
        s->caption_grid[b][0] = length, s->caption_grid[b][1] = s->caption_grid[b][2] = 1;
        dit_check_extent(g, caption, text, 1, c->caption_features, "cap_feat_dim");
        measure(g, c, kind, name, x, b, s);
        if (dit_graph_error(g)->status)
            break;
        const dit_shape *shape = dit_shape_of(g, x);
        x = dit_reshape(g, x, DIT_SHAPE(1, shape->dim[0], shape->dim[1], shape->dim[2], shape->dim[3]));
        s->picture[b] = dit_patchify(g, x, (int[]){c->frames[kind], c->patch[kind], c->patch[kind]},
                                     DIT_PATCH_CHANNEL_LAST); // (1, N, features)
        s->caption[b] = dit_reshape(g, text, DIT_SHAPE(1, dit_extent(g, text, 0), c->caption_features));
    }
    return !dit_graph_error(g)->status;
}

static void embed(dit_graph *g, const z_image_config *c, int kind, struct samples *s)
{
    char embedder[64];
    snprintf(embedder, sizeof embedder, "all_x_embedder.%d-%d", c->patch[kind], c->frames[kind]);
    for (int64_t b = 0; b < s->count; b++) {
        s->picture[b] = nn_linear(g, embedder, s->picture[b], c->width, true);
        s->caption[b] = nn_rms_norm(g, "cap_embedder.0", s->caption[b], c->norm_eps);
        s->caption[b] = nn_linear(g, "cap_embedder.1", s->caption[b], c->width, true);
    }
}

// Each picture (C, F, H, W) out of its tokens, which stand first.
static void add_results(dit_graph *g, const z_image_config *c, int kind, dit_tensor y, const struct samples *s,
                        dit_named_tensors *out)
{
    static const char *const names[MOST_SAMPLES] = {
        "sample.0", "sample.1", "sample.2",  "sample.3",  "sample.4",  "sample.5",  "sample.6",  "sample.7",
        "sample.8", "sample.9", "sample.10", "sample.11", "sample.12", "sample.13", "sample.14", "sample.15"};
    const int patch[] = {c->frames[kind], c->patch[kind], c->patch[kind]};
    for (int64_t b = 0; b < s->count; b++) {
        const int64_t *grid = s->grid[b];
        dit_shape image = DIT_SHAPE(1, c->channels, grid[0] * patch[0], grid[1] * patch[1], grid[2] * patch[2]);
        dit_tensor tokens = dit_slice(g, dit_slice(g, y, 0, b, 1, 1), 1, 0, grid[0] * grid[1] * grid[2], 1);
        dit_tensor x = dit_unpatchify(g, tokens, patch, DIT_PATCH_CHANNEL_LAST, image);
        x = dit_reshape(g, x, DIT_SHAPE(image.dim[1], image.dim[2], image.dim[3], image.dim[4]));
        dit_named_add(out, names[b], x);
    }
}

static const dit_argument arguments[] = {{"x.*", false, 4, 4},
                                         {"t", true, 1, 1},
                                         {"cap_feats.*", false, 2, 2},
                                         {"controlnet_block_samples.*", false, 3, 3},
                                         {"patch_size", DIT_CONSTANT, 0, 1},
                                         {"f_patch_size", DIT_CONSTANT, 0, 1},
                                         {0}};

// x.b: (C, F, H, W); t: (B), from 0 for noise to 1; cap_feats.b: (L, K). Gives sample.b, like x.b.
static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const z_image_config *c = config;
    struct samples s = {0};
    struct sequence picture = {0}, caption = {0}, joint = {0};
    int kind = choose_patch(g, c, in);
    if (kind < 0 || !gather_samples(g, c, kind, in, &s))
        return;
    dit_check_batch(g, "t", dit_named_find(in, "t"), s.count);
    dit_tensor condition = embed_time(g, c, dit_named_find(in, "t"), dit_dtype_of(g, s.picture[0])); // (B, C')
    embed(g, c, kind, &s);
    prepare(g, c, "x_pad_token", s.picture, s.count, s.grid, s.start, &picture);
    picture.tokens = blocks(g, c, "noise_refiner", c->refiner_layers, condition, &picture, NULL);
    prepare(g, c, "cap_pad_token", s.caption, s.count, s.caption_grid, s.caption_start, &caption);
    caption.tokens = blocks(g, c, "context_refiner", c->refiner_layers, DIT_NONE, &caption, NULL);

    join(g, &picture, &caption, s.count, &joint);
    dit_tensor y = blocks(g, c, "layers", c->layers, condition, &joint, in); // (B, T, C)
    int64_t features = (int64_t)c->channels * c->patch[kind] * c->patch[kind] * c->frames[kind];
    DIT_SCOPE (g, "all_final_layer.%d-%d", c->patch[kind], c->frames[kind])
        y = final_layer(g, c, y, condition, features);
    declare_others(g, c, kind);
    add_results(g, c, kind, y, &s, out);
}

// A list of integers, or `otherwise` where the key is absent. Returns how many.
static int read_list(dit_json json, const char *key, const int *otherwise, int count, int fewest, int room,
                     int64_t least, int64_t most, int *list, dit_error *error)
{
    int64_t values[MOST_PATCHES];
    if (dit_json_has(json, key)) {
        count = (int)dit_json_ints(json, key, values, (size_t)fewest, (size_t)room, least, most, error);
        for (int i = 0; i < count; i++)
            list[i] = (int)values[i];
        return count;
    }
    for (int i = 0; i < count; i++)
        list[i] = otherwise[i];
    return count;
}

static void check(const z_image_config *c, dit_json json, int frames, dit_error *error)
{
    if (c->patches != frames)
        dit_json_fail(json, "all_f_patch_size", error, "has %d members, all_patch_size %d", frames, c->patches);
    for (int i = 0; i < 3; i++)
        if (c->split[i] % 2)
            dit_json_fail(json, "axes_dims", error, "holds %d; features turn in pairs", c->split[i]);
    if (c->split[0] + c->split[1] + c->split[2] != c->head_width)
        dit_json_fail(json, "axes_dims", error, "adds up to %d; a head has %d features",
                      c->split[0] + c->split[1] + c->split[2], c->head_width);
    if (c->head_width * c->heads != c->width)
        dit_json_fail(json, "n_heads", error, "is %d, which does not divide dim %d", c->heads, c->width);
    if (dit_json_has(json, "siglip_feat_dim"))
        dit_json_fail(json, "siglip_feat_dim", error, "is given; pictures as conditions are not read, only text");
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    // The published class attends with n_heads keys whatever n_kv_heads says; siglip_feat_dim is checked below.
    static const char *const ignored[] = {"n_kv_heads", "siglip_feat_dim", NULL};
    z_image_config *c = config;
    c->width = (int)dit_json_int_or(json, "dim", 3840, 1, 1 << 20, error);
    c->heads = (int)dit_json_int_or(json, "n_heads", 30, 1, 1024, error);
    c->head_width = c->width / c->heads;
    c->channels = (int)dit_json_int_or(json, "in_channels", 16, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "n_layers", 30, 0, 4096, error);
    c->refiner_layers = (int)dit_json_int_or(json, "n_refiner_layers", 2, 0, 4096, error);
    c->caption_features = (int)dit_json_int_or(json, "cap_feat_dim", 2560, 1, 1 << 20, error);
    c->qk_norm = dit_json_switch_or(json, "qk_norm", true, error);
    c->norm_eps = (float)dit_json_number_or(json, "norm_eps", 1e-5, 0, 1, error);
    c->time_scale = (float)dit_json_number_or(json, "t_scale", 1000, -1e9, 1e9, error);
    c->theta = (float)dit_json_number_or(json, "rope_theta", 256, 1e-3, 1e9, error);
    c->patches = read_list(json, "all_patch_size", (const int[]){2}, 1, 1, MOST_PATCHES, 1, 1024, c->patch, error);
    int frames = read_list(json, "all_f_patch_size", (const int[]){1}, 1, 1, MOST_PATCHES, 1, 1024, c->frames, error);
    read_list(json, "axes_dims", (const int[]){32, 48, 48}, 3, 3, 3, 0, 4096, c->split, error);
    read_list(json, "axes_lens", (const int[]){1024, 512, 512}, 3, 3, 3, 1, 1 << 20, c->lengths, error);
    dit_json_ignore(json, ignored, error);
    check(c, json, frames, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_z_image = {
    .name = "ZImageTransformer2DModel",
    .config_bytes = sizeof(z_image_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
