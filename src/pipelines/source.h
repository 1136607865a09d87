// pipelines/source.h: where the parts of a model lie. A part is looked for
//
//   1. where the caller says (options->sources);
//   2. in the single file that the model is opened from, which may hold several networks: each under its own beginning
//      of names (pipelines/stored.def), recognised by the names after it (models/names);
//   3. in the model's folder; for a single file in options->base, or its own folder when that is a model's.
//
// A tokenizer that is nowhere is read from the file of its text encoder, where that is GGUF or carries the bytes of a
// SentencePiece model; a scheduler, and what an autoencoder's
// tensors do not say, are those of the published model (pipelines/published.def).
#ifndef DIT_PIPELINES_SOURCE_H
#define DIT_PIPELINES_SOURCE_H

#include "dit/dit.h"
#include "models/component.h"
#include "text/tokenizer.h"

enum { DIT_MOST_SOURCES = 16 };

typedef struct dit_sources dit_sources; // see dit_sources_close

// Where a network lies. dit_source_free releases it.
typedef struct dit_source {
    char *path;               // folder or file; NULL: there is none
    char *known;              // path of a config.json that may say what a file's tensors do not; may be NULL
    const char *prefixes[64]; // under which a file keeps it, NULL-ended
} dit_source;

// Fails with DIT_BAD_ARGUMENT (options that contradict each other), DIT_NO_FILE or DIT_BAD_FILE. `options` may be NULL.
dit_status dit_sources_open(dit_sources **sources, const char *path, const dit_model_options *options,
                            dit_error *error);
void dit_sources_close(dit_sources *sources); // may be NULL

// Whether the model was opened from a single file, which holds its transformer.
bool dit_sources_is_file(const dit_sources *sources);
// model_index.json of the model's folder; NULL where there is no folder.
dit_json_file *dit_sources_index(const dit_sources *sources);
// `_class_name` of the pipeline that the caller asks for; NULL: none.
const char *dit_sources_pipeline(const dit_sources *sources);

// Finds the network `name`, of one of the classes. source->path stays NULL when there is none.
dit_status dit_sources_find(const dit_sources *sources, const char *name, const char *const *classes, bool optional,
                            dit_source *source, dit_error *error);
void dit_source_free(dit_source *source);
// Whether the caller says where the part is.
bool dit_sources_names(const dit_sources *sources, const char *name);
// The name of a part that the caller gives, by index; NULL after the last one.
const char *dit_sources_given(const dit_sources *sources, int index);

// Whether there is a tokenizer `name`, whose text encoder is `encoder` (may be NULL).
bool dit_sources_has_tokenizer(const dit_sources *sources, const char *name, const dit_source *encoder);
// Where it lies by itself; false where it does not.
bool dit_sources_tokenizer_path(const dit_sources *sources, const char *name, char path[4096]);
// Opens it; `class_name` is the encoder's ("T5EncoderModel"; may be NULL). *tokenizer stays NULL where there is none.
dit_status dit_sources_tokenizer(const dit_sources *sources, const char *name, const dit_source *encoder,
                                 const char *class_name, dit_tokenizer **tokenizer, dit_error *error);
// Opens the scheduler's configuration: the one that is given, else the folder's, else `published` (JSON text; may be
// NULL), which comes before the folder's when `other` says that the folder is of another release than the transformer.
// *scheduler stays NULL when there is none at all.
dit_status dit_sources_scheduler(const dit_sources *sources, const char *published, bool other,
                                 dit_json_file **scheduler, dit_error *error);

#endif
