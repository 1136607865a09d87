// train/dataset.h: a training set on disk: which samples there are, what is said about them, and their pictures.
//
// Three forms are read:
//   captions  a folder with metadata.jsonl, one object a line: {"file_name": "cat.png", "text": "a cat",
//             "keywords": ["pet", "face"], "label": "animal"}; all but file_name are optional, other keys are ignored.
//             This is the image folder of Hugging Face's `datasets`, with keywords.
//   classes   a folder of folders of pictures: the folder's name is the label.
//   IDX       a folder with PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte, gzipped (.gz) or not, as MNIST and
//             its relatives are published; labels.txt, if there, names the classes, one a line.
// Files are hostile until checked: nothing outside the folder is opened, and no memory is taken on a header's word.
#ifndef DIT_TRAIN_DATASET_H
#define DIT_TRAIN_DATASET_H

#include "base/error.h"
#include "dit/dit.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dit_dataset dit_dataset; // never changes after opening: any number of threads may read it

typedef struct dit_dataset_options {
    // "train", "test", ...: the subfolder of that name if there is one, otherwise which IDX files ("test" is also known
    // as "t10k"). NULL: the folder itself, or the IDX files of "train".
    const char *split;
    const char *without; // leave out the lines of metadata.jsonl that have this key, such as "skin_tone"; NULL: none
    // What is told of each bad line of metadata.jsonl, which is then skipped. NULL: the first bad line fails the open.
    void (*on_fault)(void *context, const dit_error *fault);
    void *context;
} dit_dataset_options;

// Reads what there is, without opening pictures. `path` is a folder; a bare name without '/' that is no folder here is
// one of the sets that tools/data/NAME makes in the cache. `options` may be NULL. Fails with DIT_NO_FILE, DIT_BAD_FILE
// (with file and line) or DIT_NO_MEMORY; an empty set is DIT_BAD_FILE.
dit_status dit_dataset_open(dit_dataset **set, const char *path, const dit_dataset_options *options, dit_error *error);
void dit_dataset_close(dit_dataset *set); // may be NULL

// The folder meant by `path`, malloc'd: itself, or that of a set in the cache (${XDG_CACHE_HOME:-~/.cache}/dit/data).
// NULL when there is none.
char *dit_dataset_locate(const char *path);

size_t dit_dataset_count(const dit_dataset *set); // samples, at least 1
int dit_dataset_classes(const dit_dataset *set);  // 0 when the set has no labels
const char *dit_dataset_class_name(const dit_dataset *set, int label);

// One sample, without its picture. Texts live as long as the set.
typedef struct dit_sample {
    const char *name; // of its file, or "train-images-idx3-ubyte.gz, picture 17": for messages
    const char *text; // caption, UTF-8; NULL when there is none
    const char *const *keywords;
    int keyword_count;
    int label; // from 0; -1 when there is none
} dit_sample;

dit_sample dit_dataset_sample(const dit_dataset *set, size_t index);

// Decodes the picture of a sample with the channels of its file (1, 3 or 4; IDX: 1), to be freed with dit_image_free.
// Fails with DIT_NO_FILE, DIT_BAD_FILE, DIT_UNSUPPORTED or DIT_NO_MEMORY and a message that names the file.
dit_status dit_dataset_read(const dit_dataset *set, size_t index, dit_image *image, dit_error *error);

#endif
