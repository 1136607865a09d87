// tests/train/dataset_test.c: the three forms of training sets are read, and what is wrong with them is named.
#include "support.h"
#include <zlib.h>

static void captions_keywords_and_labels_are_read(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    write_picture(scratch_path(&s, "a.png"), 3, 2, 4, 7);
    write_text(
        scratch_path(&s, "metadata.jsonl"),
        "{\"file_name\": \"a.png\", \"text\": \"a cat\", \"keywords\": [\"pet\", \"face\"], \"label\": \"dog\"}\n"
        "\n"
        "{\"file_name\": \"x/b.png\", \"other\": [1, {}], \"label\": \"cat\"}\r\n"
        "{\"file_name\": \"c.png\", \"text\": null, \"label\": 3}\n"
        "{\"file_name\": \"d.png\", \"skin_tone\": \"dark\"}");
    dit_dataset *set = opened(s.folder, NULL);
    assert_int_equal(dit_dataset_count(set), 4);
    dit_sample a = dit_dataset_sample(set, 0), b = dit_dataset_sample(set, 1), c = dit_dataset_sample(set, 2);
    assert_string_equal(a.text, "a cat");
    assert_int_equal(a.keyword_count, 2);
    assert_string_equal(a.keywords[0], "pet");
    assert_string_equal(a.keywords[1], "face");
    assert_string_equal(b.name, scratch_path(&s, "x/b.png"));
    assert_null(b.text);
    assert_null(c.text);
    assert_int_equal(dit_dataset_classes(set), 3); // in the order of their names
    assert_string_equal(dit_dataset_class_name(set, 0), "3");
    assert_string_equal(dit_dataset_class_name(set, 1), "cat");
    assert_string_equal(dit_dataset_class_name(set, 2), "dog");
    assert_int_equal(a.label, 2);
    assert_int_equal(b.label, 1);
    assert_int_equal(c.label, 0);
    assert_int_equal(dit_dataset_sample(set, 3).label, -1);

    dit_error error = {0};
    dit_image image;
    assert_int_equal(dit_dataset_read(set, 0, &image, &error), DIT_OK);
    assert_int_equal(image.width, 3);
    assert_int_equal(image.height, 2);
    assert_int_equal(image.channels, 4);
    assert_int_equal(image.pixels[4 * 2 + 2], 7);
    dit_image_free(&image);
    dit_dataset_read(set, 1, &image, &error);
    assert_refused(&error, DIT_NO_FILE, "x/b.png");
    dit_dataset_close(set);

    set = opened(s.folder, &(dit_dataset_options){.without = "skin_tone"});
    assert_int_equal(dit_dataset_count(set), 3);
    dit_dataset_close(set);
    remove_tree(&s);
}

static const struct {
    const char *line, *word;
} bad_lines[] = {
    {"{\"file_name\": \"a.png\"", "end of file"},
    {"{\"file_name\": \"a.png\"} {}", "end of file expected"},
    {"{\"file_name\": \"a.png\", \"file_name\": \"b.png\"}", "duplicate"},
    {"{\"file_name\": \"a.png\", \"text\": NaN}", "NaN"},
    {"{\"file_name\": \"a.png\", \"text\": \"\xff\"}", "unable to decode"},
    {"[]", "must be one JSON object"},
    {"{}", "file_name"},
    {"{\"text\": \"a cat\"}", "file_name"},
    {"{\"file_name\": 3}", "file_name"},
    {"{\"file_name\": \"\"}", "inside the folder"},
    {"{\"file_name\": \"/etc/passwd\"}", "inside the folder"},
    {"{\"file_name\": \"../a.png\"}", "inside the folder"},
    {"{\"file_name\": \"b/../../a.png\"}", "inside the folder"},
    {"{\"file_name\": \"./a.png\"}", "inside the folder"},
    {"{\"file_name\": \"b//a.png\"}", "inside the folder"},
    {"{\"file_name\": \"b/\"}", "inside the folder"},
    {"{\"file_name\": \"a.png\", \"text\": 3}", "text"},
    {"{\"file_name\": \"a.png\", \"text\": [\"a cat\"]}", "text"},
    {"{\"file_name\": \"a.png\", \"keywords\": \"pet\"}", "keywords"},
    {"{\"file_name\": \"a.png\", \"keywords\": [\"pet\", 3]}", "keywords"},
    {"{\"file_name\": \"a.png\", \"label\": 1.5}", "label"},
    {"{\"file_name\": \"a.png\", \"label\": true}", "label"},
};

static void a_bad_line_is_named_by_its_number(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof bad_lines / sizeof *bad_lines; i++) {
        char text[512];
        dit_error error = {0};
        dit_dataset *set;
        snprintf(text, sizeof text, "{\"file_name\": \"a.png\"}\n\n%s\n{\"file_name\": \"a.png\"}\n",
                 bad_lines[i].line);
        write_text(scratch_path(&s, "metadata.jsonl"), text);
        dit_dataset_open(&set, s.folder, NULL, &error);
        assert_null(set);
        assert_refused(&error, DIT_BAD_FILE, "metadata.jsonl, line 3", bad_lines[i].word);
    }
    remove_tree(&s);
}

static void a_zero_byte_in_a_line_is_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    static const char line[] = "{\"file_name\": \"a.png\0b\"}\n";
    dit_error error = {0};
    dit_dataset *set;
    write_file(scratch_path(&s, "metadata.jsonl"), line, sizeof line - 1);
    dit_dataset_open(&set, s.folder, NULL, &error);
    assert_refused(&error, DIT_BAD_FILE, "line 1");
    remove_tree(&s);
}

static void count_fault(void *context, const dit_error *fault)
{
    assert_int_equal(fault->status, DIT_BAD_FILE);
    assert_non_null(strstr(fault->message, "metadata.jsonl, line "));
    ++*(int *)context;
}

static void all_bad_lines_can_be_asked_for(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    write_text(scratch_path(&s, "metadata.jsonl"),
               "{}\n{\"file_name\": \"a.png\"}\n{\n{\"file_name\": \"b.png\"}\nnull\n");
    int faults = 0;
    dit_dataset *set = opened(s.folder, &(dit_dataset_options){.on_fault = count_fault, .context = &faults});
    assert_int_equal(faults, 3);
    assert_int_equal(dit_dataset_count(set), 2);
    dit_dataset_close(set);
    remove_tree(&s);
}

static void folders_are_classes_in_the_order_of_their_names(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    make_folder(&s, "zebra");
    make_folder(&s, "Ant");
    make_folder(&s, "empty");
    make_folder(&s, ".hidden");
    write_picture(scratch_path(&s, "zebra/2.PNG"), 2, 2, 3, 2);
    write_picture(scratch_path(&s, "zebra/1.png"), 2, 2, 3, 1);
    write_picture(scratch_path(&s, "Ant/x.png"), 2, 2, 1, 9);
    write_text(scratch_path(&s, "Ant/notes.txt"), "no picture");
    write_picture(scratch_path(&s, ".hidden/x.png"), 2, 2, 1, 9);
    dit_dataset *set = opened(s.folder, NULL);
    assert_int_equal(dit_dataset_count(set), 3);
    assert_int_equal(dit_dataset_classes(set), 2);
    assert_string_equal(dit_dataset_class_name(set, 0), "Ant");
    assert_string_equal(dit_dataset_class_name(set, 1), "zebra");
    assert_int_equal(dit_dataset_sample(set, 0).label, 0);
    assert_int_equal(dit_dataset_sample(set, 1).label, 1);
    assert_string_equal(dit_dataset_sample(set, 1).name, scratch_path(&s, "zebra/1.png"));
    dit_dataset_close(set);

    char split[128];
    strcpy(split, s.folder);
    set = opened(split, &(dit_dataset_options){.split = "zebra"}); // a flat folder of pictures, without labels
    assert_int_equal(dit_dataset_count(set), 2);
    assert_int_equal(dit_dataset_classes(set), 0);
    assert_int_equal(dit_dataset_sample(set, 0).label, -1);
    dit_dataset_close(set);
    remove_tree(&s);
}

static void what_is_no_set_is_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_dataset *set;
    dit_error error = {0};
    dit_dataset_open(&set, s.folder, NULL, &error);
    assert_refused(&error, DIT_BAD_FILE, s.folder, "no training set");
    error = (dit_error){0};
    dit_dataset_open(&set, scratch_path(&s, "nowhere"), NULL, &error);
    assert_refused(&error, DIT_NO_FILE, "nowhere");
    error = (dit_error){0};
    dit_dataset_open(&set, "no-set-of-this-name", NULL, &error);
    assert_refused(&error, DIT_NO_FILE, "no-set-of-this-name", "tools/data");
    error = (dit_error){0};
    write_text(scratch_path(&s, "metadata.jsonl"), "\n\n");
    dit_dataset_open(&set, s.path, NULL, &error);
    assert_refused(&error, DIT_NO_FILE, "is a file");
    error = (dit_error){0};
    dit_dataset_open(&set, s.folder, NULL, &error);
    assert_refused(&error, DIT_BAD_FILE, "no samples");
    error = (dit_error){0};
    dit_dataset_open(&set, s.folder, &(dit_dataset_options){.split = "../x"}, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "../x");
    error = (dit_error){0};
    dit_dataset_open(&set, s.folder, &(dit_dataset_options){.split = "test"}, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "no split \"test\"");
    remove_tree(&s);
}

// ---- IDX

static void write_gzip(const char *path, const void *bytes, size_t size)
{
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

// Two pictures of 2x3, labels 2 and 0.
static const uint8_t idx_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,  0,  0,
                                     0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const uint8_t idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 2, 0};

static void idx_files_are_read_gzipped_or_not(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    write_gzip(scratch_path(&s, "train-images-idx3-ubyte.gz"), idx_images, sizeof idx_images);
    write_gzip(scratch_path(&s, "train-labels-idx1-ubyte.gz"), idx_labels, sizeof idx_labels);
    write_file(scratch_path(&s, "t10k-images-idx3-ubyte"), idx_images, sizeof idx_images);
    write_file(scratch_path(&s, "t10k-labels-idx1-ubyte"), idx_labels, sizeof idx_labels);
    const char *const splits[] = {NULL, "train", "test", "t10k"};
    for (int i = 0; i < 4; i++) {
        dit_error error = {0};
        dit_image image;
        dit_dataset *set = opened(s.folder, &(dit_dataset_options){.split = splits[i]});
        assert_int_equal(dit_dataset_count(set), 2);
        assert_int_equal(dit_dataset_classes(set), 3);
        assert_string_equal(dit_dataset_class_name(set, 2), "2");
        assert_int_equal(dit_dataset_sample(set, 0).label, 2);
        assert_int_equal(dit_dataset_sample(set, 1).label, 0);
        assert_int_equal(dit_dataset_read(set, 1, &image, &error), DIT_OK);
        assert_int_equal(image.width, 3);
        assert_int_equal(image.height, 2);
        assert_int_equal(image.channels, 1);
        assert_memory_equal(image.pixels, idx_images + 16 + 6, 6);
        dit_image_free(&image);
        dit_dataset_close(set);
    }
    write_text(scratch_path(&s, "labels.txt"), "shirt\r\nbag\nboot\n");
    dit_dataset *set = opened(s.folder, NULL);
    assert_string_equal(dit_dataset_class_name(set, 0), "shirt");
    dit_dataset_close(set);
    remove_tree(&s);
}

static void refuse_idx(const char *name, const void *bytes, size_t size, const char *word)
{
    scratch s;
    scratch_make(&s);
    dit_dataset *set;
    dit_error error = {0};
    write_file(scratch_path(&s, "train-images-idx3-ubyte"), idx_images, sizeof idx_images);
    write_file(scratch_path(&s, "train-labels-idx1-ubyte"), idx_labels, sizeof idx_labels);
    write_file(scratch_path(&s, name), bytes, size);
    dit_dataset_open(&set, s.folder, NULL, &error);
    assert_refused(&error, DIT_BAD_FILE, name, word);
    remove_tree(&s);
}

static void malformed_idx_files_are_refused(void **state)
{
    (void)state;
    static const char images[] = "train-images-idx3-ubyte", labels[] = "train-labels-idx1-ubyte";
    uint8_t b[sizeof idx_images + 1] = {0};
    memcpy(b, idx_images, sizeof idx_images);
    refuse_idx(images, b, sizeof idx_images + 1, "goes on");
    for (size_t cut = 0; cut < sizeof idx_images; cut++)
        refuse_idx(images, b, cut, "cut short");
    b[2] = 9; // signed bytes
    refuse_idx(images, b, sizeof idx_images, "begins with 0x00000903");
    b[2] = 8, b[11] = 0;
    refuse_idx(images, b, sizeof idx_images, "axis 1 has 0");
    b[11] = 2, b[4] = 0x7f; // two thousand million pictures: believed only as far as they are there
    refuse_idx(images, b, sizeof idx_images, "cut short");
    b[4] = 0xff;
    refuse_idx(images, b, sizeof idx_images, "axis 0");
    b[4] = 0x7f, b[10] = 0x0f, b[14] = 0x0f;
    refuse_idx(images, b, sizeof idx_images, "at most");
    memcpy(b, idx_labels, sizeof idx_labels);
    b[7] = 1;
    refuse_idx(labels, b, sizeof idx_labels - 1, "1 labels for the 2 pictures");
    refuse_idx("labels.txt", "shirt\nbag\n", 10, "names 2 classes");
    static const uint8_t broken[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff};
    refuse_idx(labels, broken, sizeof broken, "cannot be unpacked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captions_keywords_and_labels_are_read),
        cmocka_unit_test(a_bad_line_is_named_by_its_number),
        cmocka_unit_test(a_zero_byte_in_a_line_is_refused),
        cmocka_unit_test(all_bad_lines_can_be_asked_for),
        cmocka_unit_test(folders_are_classes_in_the_order_of_their_names),
        cmocka_unit_test(what_is_no_set_is_refused),
        cmocka_unit_test(idx_files_are_read_gzipped_or_not),
        cmocka_unit_test(malformed_idx_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
