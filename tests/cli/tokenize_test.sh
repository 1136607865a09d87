# tests/cli/tokenize_test.sh: `dit tokenize` gives one list a line, and `dit data vocab` makes files that it reads.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tokenizer=$source_root/tests/fixtures/tokenizer

# Every committed text and its ids (jsonl: {"text": ..., "ids": [...], "first": [...]}).
lines=$(printf 'a red panda\n\nMoon' | "$dit" tokenize "$tokenizer")
expected=$(for text in 'a red panda' '' ; do
    grep -m 1 -F "{\"text\": \"$text\", " "$tokenizer/ids.jsonl" | sed 's/.*"ids": \(\[[^]]*\]\).*/\1/'
done)
[ "$(head -2 <<<"$lines")" = "$expected" ] || fail "ids: $lines instead of $expected"
[ "$(wc -l <<<"$lines")" -eq 3 ] || fail "one list a line: $lines"
[ "$(printf 'a red panda\n' | "$dit" tokenize "$tokenizer/tokenizer.json" --max-length 1)" = "[1]" ] || fail "cut to the end"
[ -z "$("$dit" tokenize "$tokenizer" </dev/null)" ] || fail "nothing gives nothing"

# Broken UTF-8 is what Unicode advises to put in its place, part by part.
[ "$(printf 'b\377d \342\202x\n' | "$dit" tokenize "$tokenizer")" = "$(printf 'b\357\277\275d \357\277\275x\n' | "$dit" tokenize "$tokenizer")" ] ||
    fail "broken UTF-8 is not replaced"
refuse 2 'max-length' tokenize "$tokenizer" --max-length 0
refuse 1 'tokenizer.json' tokenize "$work"
refuse 1 'nowhere' tokenize nowhere
refuse 2 'needs' tokenize

mkdir set
i=0
while IFS= read -r caption; do
    echo "{\"file_name\": \"$((i++)).png\", \"text\": \"$caption\"}"
done <"$tokenizer/captions.txt" >set/metadata.jsonl
accept data vocab set -o new.json --size 420
[ "$(head -c 4000 "$tokenizer/tokenizer.json")" = "$(head -c 4000 new.json)" ] || fail "the vocabulary is another one"
[ "$(printf 'a red panda\n' | "$dit" tokenize new.json)" = "$(head -1 <<<"$lines")" ] || fail "the new file gives other ids"
refuse 2 'size' data vocab set -o other.json --size 100
refuse 1 'nowhere/t.json' data vocab set -o nowhere/t.json
refuse 1 'nowhere' data vocab nowhere -o t.json
