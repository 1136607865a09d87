// cli/tokenize.c: `dit tokenize`: lines of text to lists of token ids. `dit data vocab`: a vocabulary from captions.
#include "cli/command.h"
#include "text/bpe_learn.h"
#include "text/character.h"
#include "text/tokenizer.h"
#include "train/dataset.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// ---- dit tokenize

enum { MAX_LENGTH };
static const struct option tokenize_options[] = {
    [MAX_LENGTH] = {"max-length", OPTION_INT, .value = "N", .min = 1, .max = 1 << 24, .unset = "the whole line",
                    .help = "at most this many ids a line"},
    {0},
};

static void print_ids(const int32_t *ids, size_t count)
{
    putchar('[');
    for (size_t i = 0; i < count; i++)
        printf("%s%" PRId32, i ? ", " : "", ids[i]);
    puts("]");
}

static dit_status tokenize(const struct call *call, dit_error *error)
{
    size_t most = call->option[MAX_LENGTH].given ? (size_t)call->option[MAX_LENGTH].integer : 0, room = 0;
    uint64_t number = 0;
    char *line = NULL, place[48];
    dit_tokenizer *tokenizer;
    if (dit_tokenizer_open(&tokenizer, call->operand[0], error))
        return error->status;
    for (ssize_t size; !error->status && (size = getline(&line, &room, stdin)) >= 0;) {
        int32_t *ids = NULL;
        size_t count, text_size;
        char *text = NULL;
        number++;
        if (size > 0 && line[size - 1] == '\n')
            size--;
        if (!dit_text_repair(line, (size_t)size, &text, &text_size, error) &&
            !dit_tokenizer_encode(tokenizer, text, text_size, most, &ids, &count, error))
            print_ids(ids, count);
        else {
            snprintf(place, sizeof place, "line %" PRIu64, number);
            dit_error_locate(error, place);
        }
        free(text);
        free(ids);
    }
    if (!error->status && ferror(stdin))
        dit_fail_errno(error, errno, "cannot read the lines");
    free(line);
    dit_tokenizer_close(tokenizer);
    return error->status;
}

static const char *const tokenize_examples[] = {
    "echo 'a red panda' | dit tokenize model/tokenizer",
    "the ids of one prompt",
    "dit tokenize tokenizer.json --max-length 77 < prompts.txt",
    "one list a line, cut to the length that a model takes",
    "dit tokenize pixart/tokenizer < prompts.txt",
    "the text encoder's own tokenizer, from its spiece.model",
    NULL,
};

const struct command command_tokenize = {
    .name = "tokenize",
    .summary = "turn lines of text into token ids",
    .operands = "DIR|FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = tokenize_options,
    .details =
        "Reads text from the standard input and prints one JSON list of ids for each line, as transformers and\n"
        "tokenizers give them: with the tokens that the model wants around a text, not filled up, and uncut\n"
        "unless --max-length is given. Lines end at the line feed alone; broken UTF-8 is read as U+FFFD.\n"
        "DIR holds a tokenizer.json, or spiece.model, tokenizer.model, vocab.json with merges.txt, or vocab.txt\n"
        "with what tokenizer_config.json and special_tokens_map.json say; FILE is one of these, or the GGUF file of a\n"
        "text encoder.",
    .examples = tokenize_examples,
    .run = tokenize,
};

// ---- dit data vocab

enum { OUTPUT, SIZE, LEAST, WITHOUT };
static const struct option vocab_options[] = {
    [OUTPUT] = {"output", OPTION_PATH, .letter = 'o', .value = "FILE", .required = true,
                .help = "tokenizer.json to write"},
    [SIZE] = {"size", OPTION_INT, .value = "N", .min = 258, .max = 1 << 20, .preset = "4096",
              .help = "tokens, at most"},
    [LEAST] = {"least", OPTION_INT, .value = "N", .min = 1, .max = 1 << 30, .preset = "2",
               .help = "how often a pair of tokens must occur to become one"},
    [WITHOUT] = {"without", OPTION_TEXT, .value = "KEY", .help = "leave out the lines of metadata.jsonl with this key"},
    {0},
};

static dit_status add_texts(dit_bpe_learner *learner, const dit_sample *sample, dit_error *error)
{
    if (sample->text && dit_bpe_learner_add(learner, sample->text, strlen(sample->text), error))
        return error->status;
    for (int i = 0; i < sample->keyword_count; i++)
        if (dit_bpe_learner_add(learner, sample->keywords[i], strlen(sample->keywords[i]), error))
            return error->status;
    return DIT_OK;
}

static dit_status vocab(const struct call *call, dit_error *error)
{
    const struct option_value *option = call->option;
    dit_dataset_options how = {.without = option[WITHOUT].text};
    dit_dataset *set = NULL;
    dit_bpe_learner *learner = dit_bpe_learner_new();
    int learned;
    if (!learner)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    if (check_output_path(option[OUTPUT].text, "--output", 0, error) ||
        dit_dataset_open(&set, call->operand[0], &how, error))
        goto done;
    for (size_t i = 0; i < dit_dataset_count(set); i++) {
        dit_sample sample = dit_dataset_sample(set, i);
        if (add_texts(learner, &sample, error))
            goto done;
    }
    if (!dit_bpe_learner_save(learner, option[OUTPUT].text, (int)option[SIZE].integer, (int)option[LEAST].integer,
                              &learned, error))
        say(call, "%d tokens from the texts of %zu samples", learned, dit_dataset_count(set));
done:
    dit_dataset_close(set);
    dit_bpe_learner_free(learner);
    return error->status;
}

static const char *const vocab_examples[] = {
    "dit data vocab emoji -o tokenizer.json",
    "from the captions and keywords of the set that tools/data/emoji made",
    NULL,
};

const struct command command_data_vocab = {
    .name = "data vocab",
    .summary = "learn a tokenizer from a training set's captions",
    .operands = "DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = vocab_options,
    .details = "Learns a byte-level BPE from the captions and keywords of DIR and writes it in the format of Hugging\n"
               "Face's tokenizers library. The same texts give the same file.",
    .examples = vocab_examples,
    .run = vocab,
};
