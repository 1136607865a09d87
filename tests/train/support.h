// tests/train/support.h: small training sets made on the spot.
#ifndef TESTS_TRAIN_SUPPORT_H
#define TESTS_TRAIN_SUPPORT_H

#include "../io/support.h"
#include "train/dataset.h"
#include <sys/stat.h>

static inline void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

static inline void make_folder(scratch *s, const char *name)
{
    assert_int_equal(mkdir(scratch_path(s, name), 0700), 0);
}

// Removes the folder and all below it.
static inline void remove_tree(scratch *s)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", s->folder);
    assert_int_equal(system(command), 0);
}

// A picture whose pixel (x, y) has channels (x, y, tint), and alpha 255 - x when there are four.
static inline void write_picture(const char *path, int width, int height, int channels, uint8_t tint)
{
    dit_error error = {0};
    uint8_t *pixels = malloc((size_t)width * (size_t)height * (size_t)channels);
    assert_non_null(pixels);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t values[] = {(uint8_t)x, (uint8_t)y, tint, (uint8_t)(255 - x)};
            for (int c = 0; c < channels; c++)
                pixels[(y * width + x) * channels + c] = channels == 1 ? tint : values[c];
        }
    dit_image image = {width, height, channels, pixels};
    dit_image_write(&image, path, NULL, &error);
    assert_fine(error);
    free(pixels);
}

// A captioned set of `count` pictures of 8x8 whose blue is their number.
static inline void make_captioned(scratch *s, int count)
{
    char list[8192] = "";
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.png", i);
        write_picture(scratch_path(s, name), 8, 8, 3, (uint8_t)i);
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "{\"file_name\": \"%s\", \"text\": \"number %d\"}\n", name, i);
    }
    write_text(scratch_path(s, "metadata.jsonl"), list);
}

static inline dit_dataset *opened(const char *path, const dit_dataset_options *options)
{
    dit_error error = {0};
    dit_dataset *set;
    dit_dataset_open(&set, path, options, &error);
    assert_fine(error);
    assert_non_null(set);
    return set;
}

#endif
