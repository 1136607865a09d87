// pipelines/pipeline.h: an opened model, and what one published family adds to it: how a request becomes conditions.
//
// A folder holds model_index.json, whose `_class_name` chooses the row of pipelines.def, and a folder for each part:
// networks (transformer, text_encoder, text_encoder_2, vae, ...), tokenizers and a scheduler. A single file holds the
// transformer, from which the row follows, and perhaps other networks; the rest lies elsewhere (pipelines/source.h). A
// new family is a file pipelines/NAME.c that defines `const dit_pipeline_class dit_pipeline_class_NAME`, and the row
// PIPELINE(NAME).
//
// One picture, in this order (pipelines/generate.c):
//
//     start      the request with the family's defaults: steps, guidance, sizes                 -> dit_job
//     encode     prompts through the text encoders: named arguments of the transformer          -> dit_conditions
//     describe   latents (rows, C, H, W) -> arguments of the transformer -> its answer (rows, C', H, W), one graph
//     steps      sampler and guidance over the latents (pipelines/sample.c); time and guide may be the family's own
//     decode     latents -> pixels (pipelines/decode.c)
//
// Parts are opened once to check them, and again at their turn; those that are done are released before the next one is
// needed, so the text encoders and the transformer are never in memory together (dit_model_keep_parts).
#ifndef DIT_PIPELINES_PIPELINE_H
#define DIT_PIPELINES_PIPELINE_H

#include "base/random.h"
#include "dit/dit.h"
#include "models/call.h"
#include "pipelines/published.h"
#include "pipelines/source.h"
#include "sample/guidance.h"
#include "sample/sampler.h"
#include "text/tokenizer.h"

typedef struct dit_pipeline_class dit_pipeline_class;
struct dit_survey; // pipelines/survey.h

enum { DIT_MOST_PARTS = 8, DIT_MOST_TOKENIZERS = 4, DIT_MOST_LORAS = 16 };

// A network that a family has.
typedef struct dit_part_kind {
    const char *name;           // of its folder
    const char *const *classes; // whose networks fit; NULL-ended
    bool optional;              // it may be absent (model_index.json: [null, null])
} dit_part_kind;

// What brackets in a prompt do (pipelines/weighted_text.c).
typedef enum dit_prompt_weighting {
    DIT_WEIGHTING_NONE, // they are text
    DIT_WEIGHTING_COMFYUI,
    DIT_WEIGHTING_A1111,
} dit_prompt_weighting;

// Told of every picture of a draw as soon as it is there; what it returns ends the draw. `take` NULL: nobody is.
typedef struct dit_picture_sink {
    dit_status (*take)(void *context, int index, const dit_image *image, dit_error *error);
    void *context;
} dit_picture_sink;

// A request with the family's defaults filled in. Guided pictures are computed twice, with and without the condition:
// in one batch, conditional rows first, or, when the two halves' conditions differ in shape (`apart`), one after the
// other.
typedef struct dit_job {
    const dit_request *request;
    int count;    // pictures
    int64_t rows; // of the network's batch: count, or 2 count when guided and not apart
    bool guided, apart;
    int steps;
    double guidance_scale;
    double true_cfg_scale;                    // of a network that is told guidance_scale; at most 0: none
    double cfg_normalization, cfg_truncation; // as the request has them; negative: the family's own
    dit_guidance guidance;                    // the same, and what the request says beside the scale
    dit_prompt_weighting weighting;
    double strength;                       // of a start picture: the share of the steps that redraw it
    int64_t channels, height, width;       // of the latents
    int64_t picture_height, picture_width; // pixels that the decoder gives
    int64_t output_height, output_width;   // pixels that the user gets: resized to cover it, and cropped
    bool skipping;                         // the layers of request->skip_layers are left out: one half, in a plan apart
    double state_scale;                    // of the sampler's state, where the latents are not of unit variance; 0: 1
    int64_t shift_tokens;                  // of the picture, from which a sampler with a dynamic shift gets its mu
    dit_sampler_arguments
        sampler_arguments; // of the sampler's set-up: mu, ...; sigmas are of malloc, freed with the job
    void *private;         // the family's own (of malloc; freed with the job)
    dit_picture_sink sink; // who draws may set it once the job is started
} dit_job;

// Named arguments of the transformer: [0] for all rows; when the halves are apart, [0] conditional, [1] unconditional.
typedef dit_arrays dit_conditions[2];

// The answers to one call, each (count, channels, inner), to be combined into `out`, of the same shape, which may be
// `with`; of `out` the job's channels count.
typedef struct dit_guide_call {
    const float *with, *without; // `without` NULL: not guided
    dit_sample_size size;        // of an answer; channels include a predicted variance
    int call;                    // of the sampler, from 0
    double sigma;                // of the sampler at this call; NaN where it has none
    const float *state;          // (count, job's channels, inner)
    float *out;
} dit_guide_call;

struct dit_pipeline_class {
    const char *name;
    const char *const *older_names; // NULL-ended, or NULL
    const dit_part_kind *parts;     // ends with a NULL name; the first one is the transformer
    // The public loop hands its sampler what the network was given: the state divided as the network needs it, which it
    // stays, and both halves of a guided batch, for which noise is drawn alike; and it starts from unit noise whatever
    // the sampler's first sigma. Otherwise the state is the sampler's own, as sample/sampler.h has it.
    bool steps_network_input;
    int most_batch;         // pictures that the network takes at once; 0: any number
    bool draws_classes;     // request->class_label; otherwise it is refused
    bool takes_references;  // request->references
    bool true_cfg;          // request->true_cfg_scale
    bool skips_layers;      // request->skip_layers: `describe` looks at job->skipping
    bool weighs_prompts;    // request->prompt_weighting: queries of texts look at job->weighting
    bool conditions_by_row; // each has a row for every row of the batch, so that halves can be taken out of it
    bool inpaints_noise;    // of strength 1 inpainting starts from noise alone, whatever the sampler's first level
    bool inpaints_shifted;  // what was painted inside a mask is decoded with the autoencoder's shift still in it
    double strength;        // of image to image where the request says none; 0: 0.6
    // Whether a transformer of this configuration is one of the family's, where several families have networks of one
    // class. NULL: any is.
    bool (*takes_transformer)(dit_json config);
    // Opens what the family needs beside its parts, and checks that they fit each other. May be NULL.
    dit_status (*open)(dit_model *model, dit_error *error);
    void (*close)(dit_model *model); // NULL: nothing to close
    // Fills in the job from the request: defaults, whether it is guided, sizes (dit_job_choose, dit_job_size). A
    // request that the family cannot serve is DIT_BAD_ARGUMENT naming the flag.
    dit_status (*start)(dit_model *model, dit_job *job, dit_error *error);
    // The conditions, by the names of the transformer's arguments; others are for `describe`. `generator` is where the
    // public pipeline draws from before it draws the latents (encoding a reference picture); most do not touch it.
    dit_status (*encode)(dit_model *model, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error);
    // Adds the arguments made of the latents (rows, C, H, W) and the network's time (rows) to `in`, where the
    // conditions are already. NULL: hidden_states and timestep.
    void (*describe)(const dit_model *model, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                     dit_named_tensors *in);
    // The network's outputs as an answer for the latents, (rows, C', H, W). NULL: `sample`.
    dit_tensor (*answer)(const dit_model *model, dit_graph *g, const dit_job *job, const dit_named_tensors *out);
    // The time that the network is given at a timestep of the sampler. NULL: the timestep.
    double (*time)(const dit_model *model, const dit_job *job, double timestep);
    // Whether a guided picture is guided at that call of so many, where the network is given `time`. NULL: yes.
    bool (*guides_at)(const dit_job *job, int call, int calls, double time);
    // Combines the answers. NULL: classifier-free guidance of the job's channels; what is predicted beside stays out.
    void (*guide)(const dit_model *model, const dit_job *job, const dit_guide_call *call);
    // The latents as the public pipeline hands them out (output_type="latent"), of malloc. NULL: as they are.
    dit_status (*export_latents)(const dit_model *model, const dit_job *job, const dit_array *latents, dit_array *out,
                                 dit_error *error);
};

// A network of the model.
typedef struct dit_part {
    const dit_part_kind *kind;
    dit_source source; // where it lies; `path` is NULL when the model has none
    bool open;
    dit_component component;
} dit_part;

// Plans of the transformer: of all rows (or of the conditional half, when the halves are computed apart); of one half,
// when it is also computed alone; of the conditional half without some layers.
enum { DIT_PLAN_ROWS, DIT_PLAN_HALF, DIT_PLAN_SKIPPING, DIT_MOST_PLANS };

// The transformer's plan for one shape of latents and conditions, kept for the next job of that shape.
typedef struct dit_network {
    dit_plan *plan;
    int64_t rows, channels, height, width;
    char signature[1024]; // names and shapes of the conditions
} dit_network;

// A file of low-rank adapters, and what they count.
typedef struct dit_model_lora {
    char *path;
    double strength;
} dit_model_lora;

// The state behind a dit_model of the public header.
struct dit_model {
    const dit_pipeline_class *class;
    char *folder;         // or single file: as the user named the model
    dit_sources *sources; // where its parts lie
    dit_published published;
    char *variant;   // of a folder's weights; NULL: none asked for
    dit_dtype dtype; // that the transformer computes in
    dit_json_file *scheduler;
    dit_part parts[DIT_MOST_PARTS];
    int part_count;
    struct {
        char name[32];
        dit_tokenizer *tokenizer;
    } tokenizers[DIT_MOST_TOKENIZERS];
    dit_model_lora loras[DIT_MOST_LORAS];
    int lora_count;
    bool keep_parts;               // what is done stays open for the next picture
    size_t memory;                 // bytes that the process may hold; 0: no bound. dit_memory_left says what is left
    bool predicts_sample;          // a flow network gives x_0: the sampler is handed (x_t - x_0) / sigma
    int default_steps;             // of model_index.json; 0: it says none
    double default_guidance_scale; // the same; negative: it says none
    struct dit_survey *survey;     // while one is made: text encoders are planned and not run
    bool checked;                  // dit_model_check has found all tensors
    void *private;                 // the family's own
    dit_network network[DIT_MOST_PLANS];
    struct {
        double encode, sample, decode;
    } seconds; // of the last draw: texts and pictures to conditions; planning and steps; latents to pictures
};

// Parts (pipelines/part.c)
// ---------------------------------------------------------------------------------------------------------------

// The network in folder `name`, opened when it is not. NULL and an error when it does not open or the model has none.
dit_component *dit_model_part(dit_model *model, const char *name, dit_error *error);
bool dit_model_has_part(const dit_model *model, const char *name);
// The transformer, which is open at least until the first picture is drawn: for `open` and `start`.
const void *dit_model_transformer_config(const dit_model *model);
// A number of a part's config.json, such as the vae's scaling_factor.
double dit_model_part_number(dit_model *model, const char *name, const char *key, double otherwise, dit_error *error);
// Fails with DIT_BAD_NUMBER, naming the part, when one of the f32 values that it gave is not finite.
dit_status dit_model_check_numbers(const dit_model *model, const char *name, const dit_array *values, dit_error *error);
// Closes a part that is done, unless the model keeps them.
void dit_model_part_done(dit_model *model, const char *name);
// Keeps all parts open between pictures: faster for several prompts, and as large as all of them.
void dit_model_keep_parts(dit_model *model, bool keep);
// Finds all parts that the class needs, and opens them. What is nowhere is DIT_NO_FILE, which names all of it.
dit_status dit_model_find_parts(dit_model *model, dit_error *error);
dit_status dit_model_open_parts(dit_model *model, dit_error *error);
// Closes what is open and opens all parts, for weights as they are in their files.
dit_status dit_model_reopen_parts(dit_model *model, dit_error *error);
void dit_model_close_parts(dit_model *model);
// Adds the low-rank adapters (LoRA, DoRA) of a file by diffusers, PEFT or kohya's scripts, before a picture is
// drawn; `strength` is what they count, 1 as they were trained. May be called for several files. Fails with
// DIT_BAD_FILE when they do not fit the model, which is then not to be used.
dit_status dit_model_add_lora(dit_model *model, const char *path, double strength, dit_error *error);
// Takes back all adapters but the first `count` files of them, for the pictures that follow.
dit_status dit_model_keep_loras(dit_model *model, int count, dit_error *error);
// The adapters that the model has been given, into a part that was opened (pipelines/lora.c).
dit_status dit_model_apply_loras(dit_model *model, dit_part *part, dit_error *error);
void dit_model_free_loras(dit_model *model);
// "text_encoder_2" -> "tokenizer_2"; false for a part that reads no text.
bool dit_tokenizer_of(const char *part, char name[32]);
// The tokenizer in folder `name`, opened when it is not. NULL and an error when that fails.
dit_tokenizer *dit_model_tokenizer(dit_model *model, const char *name, dit_error *error);

// Text (pipelines/text.c)
// ----------------------------------------------------------------------------------------------------------------

// Texts through one tokenizer and one text encoder.
typedef struct dit_text_query {
    const char *tokenizer, *encoder; // names of folders
    const char *const *texts;
    int count;
    int length;                // ids of a row: cut, or filled up with the tokenizer's padding
    bool longest;              // rows are no longer than the longest text of the query
    bool mask;                 // the encoder is given attention_mask
    const char *const *wanted; // outputs of the encoder; NULL-ended
    bool ends_as_padding;      // filled up with the token that ends a text instead
    bool pads_right;           // whatever side the tokenizer's files say
    // What is done to each text first (text/clean.h); NULL: nothing.
    dit_status (*clean)(const char *text, size_t length, char **clean, size_t *size, dit_error *error);
    // With weighting (not together with `longest`; padding is on the right): `chunks`, a text that is too long, or that
    // has BREAK in it, gets as many rows as it needs, put one after another; otherwise it is cut as ever.
    dit_prompt_weighting weighting;
    bool chunks;
    bool keeps_spaces;     // the tokenizer puts no space before a text, so that those around a part count
    bool empty_is_padding; // an empty prompt is as much padding as the text has tokens, none of it masked
} dit_text_query;
// Adds the outputs wanted, one row a text, to `out`, with `input_ids` (count, length) i64 and `attention_mask`
// (count, length) i64. The encoder is done afterwards.
dit_status dit_encode_texts(dit_model *model, const dit_text_query *query, const dit_watch *watch, dit_arrays *out,
                            dit_error *error);
// "comfyui", "a1111"; false when there is none of that name.
bool dit_prompt_weighting_from_name(const char *name, dit_prompt_weighting *weighting);
// The length that the tokenizer's model takes, or `otherwise` where its files say none; at most `most`.
int dit_model_text_length(dit_model *model, const char *tokenizer, int otherwise, int most, dit_error *error);
// Row-wise helpers for families: rows of `from` (R, ...) repeated so that texts [prompt, negative] become the job's
// rows: row 0 count times, then, when guided and not apart, row 1 (or 0 again, where there is one) count times. Adds it
// to `to` under `name`.
dit_status dit_conditions_rows(const dit_job *job, const dit_array *from, dit_arrays *to, const char *name,
                               dit_error *error);
// The features of two encoders side by side: a (count, A), b (count, B) -> (count, A + B). joined->data is the
// caller's.
dit_status dit_join_features(const dit_array *a, const dit_array *b, dit_array *joined, dit_error *error);
// texts[0] the prompt, texts[1] the negative prompt ("" when none); returns how many the job needs: 2 when guided.
int dit_job_texts(const dit_job *job, const char *texts[2]);

// Latents and pixels (pipelines/decode.c)
// -------------------------------------------------------------------------------------------------

// Pixels for each latent: 8 for an autoencoder of four levels; 1 without an autoencoder.
int dit_model_pixels_per_latent(dit_model *model, dit_error *error);
// Scaled latents f32 (B, C, H, W) to pixels (B, 3, H ratio, W ratio) in about [-1, 1] by the part `vae`, which stays
// open; pixels->data is the caller's, also after a failure.
dit_status dit_decode_pixels(dit_model *model, const dit_array *latents, dit_array *pixels, dit_error *error);
// Latents (count, C, H, W) to pictures of the job's output size, by the part `vae` when there is one. The job's sink is
// told of each.
dit_status dit_decode_latents(dit_model *model, const dit_job *job, const dit_array *latents, const dit_watch *watch,
                              dit_image *images, dit_error *error);
// Pixels in [-1, 1] (B, 3, H, W) to scaled latents: a draw from the encoder's distribution with `generator`, or its
// mean when that is NULL. latents->data is the caller's.
dit_status dit_encode_pixels(dit_model *model, const dit_array *pixels, dit_generator *generator,
                             const dit_watch *watch, dit_array *latents, dit_error *error);

// Jobs (pipelines/job.c)
// ----------------------------------------------------------------------------------------------------------------

// For a family's `start`: steps, guidance scale and whether it guides, from the request, the folder, or the family's
// defaults.
void dit_job_choose(const dit_model *model, dit_job *job, int steps, double guidance_scale);
// The same for sizes: the request's, or `height` x `width` where it says none; each rounded down to a multiple of
// `multiple` pixels, at least one. Sets the latents' and all pictures' sizes.
dit_status dit_job_size(dit_model *model, dit_job *job, int height, int width, int multiple, dit_error *error);
// Sigmas 1, ..., 1 / steps, as the pipelines that hand them to their sampler make them (numpy's linspace).
dit_status dit_job_linear_sigmas(dit_job *job, dit_error *error);
// From a request to its job. Release with dit_job_end, also after a failure.
dit_status dit_job_start(dit_model *model, const dit_request *request, dit_job *job, dit_error *error);
void dit_job_end(dit_job *job);

// Drawing
// --------------------------------------------------------------------------------------------------------------------

// The folder of the model that comes with the library: what the environment's DIT_MODEL names, the installed one, or
// the repository's. `path` is room for it.
const char *dit_default_model(char *path, size_t size);

// Plans the transformer as model->network[which] for the job, or keeps the plan of the last one
// (pipelines/network.c), and fills in the conditions: plan inputs `latents` (rows, C, H, W), `time` (rows) and the
// conditions; output `answer` (rows, C', H, W).
// `others` plans like it come next, for which a memory bound leaves room.
dit_status dit_plan_network(dit_model *model, int which, const dit_job *job, const dit_arrays *conditions, int others,
                            dit_error *error);

// Samples job->count states into `state` (count, channels, height, width), allocated here and freed by the caller.
dit_status dit_draw_states(dit_model *model, const dit_job *job, const dit_watch *watch, dit_array *state,
                           dit_error *error);

// A started job's pictures, which the caller releases; with `latents` not NULL also writes the state before the decoder
// to that file, as tensor `latents`.
dit_status dit_generate_job(dit_model *model, const dit_job *job, const dit_watch *watch, dit_image *images,
                            const char *latents, dit_error *error);

#endif
