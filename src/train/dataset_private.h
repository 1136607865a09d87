// train/dataset_private.h: a training set in memory, and the readers of its forms.
#ifndef DIT_TRAIN_DATASET_PRIVATE_H
#define DIT_TRAIN_DATASET_PRIVATE_H

#include "base/arena.h"
#include "train/dataset.h"

enum { DIT_MOST_CLASSES = 1 << 20 };

struct dit_dataset {
    dit_arena *arena;   // texts and class names
    const char *folder; // file names of samples are below it
    dit_sample *samples;
    size_t count, capacity;
    const char **class_names; // [classes]
    size_t class_capacity;
    int classes;
    uint8_t *pixels; // IDX: (count, height, width); NULL for the other forms
    int height, width;
};

// Appends a sample; texts must live as long as the set.
dit_status dit_dataset_add(dit_dataset *set, dit_sample sample, dit_error *error);
// "folder/name" in the set's arena; NULL when memory is out.
const char *dit_dataset_path(const dit_dataset *set, const char *name);
// Appends a class name, which is copied.
dit_status dit_dataset_add_class(dit_dataset *set, const char *name, dit_error *error);

// The readers fill an empty set whose folder is known. Each *_found says whether the folder has the reader's form.
bool dit_captions_found(const dit_dataset *set);
dit_status dit_captions_read(dit_dataset *set, const dit_dataset_options *options, dit_error *error);
bool dit_idx_found(const dit_dataset *set, const char *split);
dit_status dit_idx_read(dit_dataset *set, const char *split, dit_error *error);
dit_status dit_classes_read(dit_dataset *set, dit_error *error);

// Whether the path names a regular file, or a folder.
bool dit_is_file(const char *path);
bool dit_is_folder(const char *path);

#endif
