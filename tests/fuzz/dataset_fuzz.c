// tests/fuzz/dataset_fuzz.c: any bytes as each file of a training set: metadata.jsonl, IDX pictures, labels, names.
#include "train/dataset.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char folder[64];

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
        abort();
}

static void remove_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

// Samples have labels that have names, and pictures that can be read when they are in memory.
static void use(const dit_dataset *set, bool pictures)
{
    for (size_t i = 0; i < dit_dataset_count(set); i++) {
        dit_sample s = dit_dataset_sample(set, i);
        dit_error error = {0};
        dit_image image;
        if (!s.name || s.label >= dit_dataset_classes(set) || (s.label >= 0 && !dit_dataset_class_name(set, s.label)))
            abort();
        if (pictures && i < 4) {
            if (dit_dataset_read(set, i, &image, &error))
                abort();
            dit_image_free(&image);
        }
    }
}

static void count_fault(void *context, const dit_error *fault)
{
    if (!*fault->message)
        abort();
    ++*(size_t *)context;
}

static void open_set(bool pictures)
{
    size_t faults = 0;
    for (int tolerant = 0; tolerant < 2; tolerant++) {
        const dit_dataset_options o = {
            .without = "skip", .on_fault = tolerant ? count_fault : NULL, .context = &faults};
        dit_error error = {0};
        dit_dataset *set;
        if (!dit_dataset_open(&set, folder, &o, &error)) {
            use(set, pictures);
            dit_dataset_close(set);
        } else if (!*error.message || set)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char images[] = "train-images-idx3-ubyte", labels[] = "train-labels-idx1-ubyte";
    static const uint8_t good_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4};
    static const uint8_t good_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/dit-fuzz-dataset-%d", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
                 (int)getpid());
        mkdir(folder, 0700);
    }
    write_file("metadata.jsonl", bytes, size);
    open_set(false);
    remove_file("metadata.jsonl");

    write_file(images, bytes, size);
    write_file(labels, good_labels, sizeof good_labels);
    open_set(true);
    write_file(images, good_images, sizeof good_images);
    write_file("labels.txt", bytes, size);
    open_set(true);
    remove_file("labels.txt");
    write_file(labels, bytes, size);
    open_set(true);
    remove_file(images);
    remove_file(labels);
    return 0;
}
