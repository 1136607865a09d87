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
