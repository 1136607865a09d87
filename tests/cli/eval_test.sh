# tests/cli/eval_test.sh: `dit eval retrieval` on pictures that are there, with a small judge of random weights.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
judge=$source_root/tests/fixtures/efficientnet_lite
pictures=$source_root/tests/fixtures/pictures

mkdir set
i=0
for picture in "$pictures"/*.png; do
    cp "$picture" "set/$((++i)).png"
    echo "{\"file_name\": \"$i.png\", \"text\": \"picture $i\"}" >>set/metadata.jsonl
done
[ "$i" -ge 5 ] || fail "too few pictures to test with"
accept eval retrieval --data set --pictures set --judge "$judge" --candidates 3 --json
grep -qE "^\{\"pictures\": $i, \"candidates\": 3, \"size\": [0-9]+, \"seed\": 1, \"top1\": [01]\.[0-9]{4}, \"top5\": 1\.0000, .*\}$" \
    <<<"$output" || fail "$output"
accept eval retrieval --data set --pictures set --judge "$judge" --candidates 3 --queries 4 --list
[ "$(wc -l <<<"$output")" -eq 7 ] || fail "$output"

refuse 2 'candidates' eval retrieval --data set --pictures set --judge "$judge"
refuse 2 'pictures and --model' eval retrieval --data set --pictures set --model set
refuse 1 'nowhere' eval retrieval --data nowhere --pictures set --judge "$judge"
refuse 1 'nowhere' eval retrieval --data set --pictures nowhere --judge "$judge" --candidates 3
refuse 1 'tools/data/judge' eval retrieval --data set --pictures set --judge nowhere
refuse 2 'one word more' eval

# A model of text, stored in half precision, draws what is judged; what is kept is judged the same again.
cat >text.yaml <<'Y'
model: {class: TextDiTTransformer2DModel, layers: 1, text_layers: 1, heads: 1, width: 32, patch: 8, text_length: 8,
        vocabulary: 300}
data: {set: set, size: 16}
objective: {kind: flow, predict: velocity}
train: {steps: 2, batch: 2, lr: 1e-3, warmup: 1, seed: 1, checkpoint_every: 0, sample_every: 0}
samples: {steps: 2, dtype: f16}
Y
accept train text.yaml --out text
accept eval retrieval --data set --model text/model --judge "$judge" --candidates 3 --queries 4 --save kept --json
accept eval retrieval --data set --pictures kept --judge "$judge" --candidates 3 --queries 4 --json
grep -q '"pictures": 4, "candidates": 3, "size": 16' <<<"$output" || fail "$output"
[ "$(ls kept | wc -l)" -eq 5 ] || fail "$(ls kept)"

# ---- Classifying: class 0 is striped, class 1 chequered, 24 grey pictures of 8x8.
mkdir set/idx
{
    printf '\0\0\10\3\0\0\0\30\0\0\0\10\0\0\0\10'
    for i in $(seq 24); do
        for row in 0 1 2 3 4 5 6 7; do
            [ $((i % 2 * row % 2)) -eq 0 ] && printf '\0\360\0\360\0\360\0\360' || printf '\360\0\360\0\360\0\360\0'
        done
    done
} >set/idx/train-images-idx3-ubyte
{
    printf '\0\0\10\1\0\0\0\30'
    for i in $(seq 24); do printf "\\$((i % 2))"; done
} >set/idx/train-labels-idx1-ubyte
cat >classifier.yaml <<'Y'
model: {class: ImageClassifier, layers: 1, width: 8}
data: {set: set/idx, size: 8, channels: 1, background: 0}
objective: {kind: classify}
train: {steps: 40, batch: 8, lr: 1e-2, warmup: 1, ema: [0.5], seed: 1, checkpoint_every: 0, sample_every: 0}
Y
cat >dit.yaml <<'Y'
model: {class: DiTTransformer2DModel, layers: 1, heads: 1, width: 16, patch: 4}
data: {set: set/idx, size: 8, channels: 1, background: 0}
objective: {kind: flow, predict: velocity}
train: {steps: 2, batch: 4, lr: 1e-3, warmup: 1, seed: 1, checkpoint_every: 0, sample_every: 0}
samples: {steps: 2}
Y
accept train classifier.yaml --out classifier
accept train dit.yaml --out draws
accept eval classify --classifier classifier/model --data set/idx --model draws/model --per-class 3 --json
rate='(0\.[0-9]+|1\.0)'
grep -qE "^\{\"real\":\{\"pictures\":24,\"accuracy\":1\.0,\"shuffled\":0\.[0-9]+,\"per_class\":\[1\.0,1\.0\]\},$(:
    )\"drawn\":\{\"pictures\":6,\"accuracy\":$rate,\"shuffled\":$rate,\"per_class\":\[$rate,$rate\]\}\}$" \
    <<<"$output" || fail "$output"
accept eval classify --classifier classifier/model --data set/idx
grep -qE '^real +24 pictures, 100\.0% seen as what they are; +[1-9][0-9]\.[0-9]% when labels are shuffled$' \
    <<<"$output" || fail "$output"
grep -qE '^ +1  1 +100\.0%' <<<"$output" || fail "$output"
mkdir -p drawn/1
cp set/1.png drawn/1/
accept eval classify --classifier classifier/model --pictures drawn --json
grep -qE '^\{"drawn":\{"pictures":1,"accuracy":([01].0),"shuffled":\1,"per_class":\[null,\1\]\}\}$' <<<"$output" || fail "$output"
mv drawn/1 drawn/trousers
refuse 1 '"trousers" is none of the classifier.s 2 classes' eval classify --classifier classifier/model --pictures drawn
refuse 2 'classifier' eval classify --data set/idx
refuse 2 'say what to classify' eval classify --classifier classifier/model
refuse 1 'ImageClassifier' eval classify --classifier draws/model/transformer --data set/idx
refuse 1 'has no label' eval classify --classifier classifier/model --data set
