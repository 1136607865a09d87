# tests/cli/data_test.sh: `dit data check` reads every sample, names each unreadable one, and says so in its exit code.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# A 2x2 grey PNG.
picture() {
    base64 -d >"$1" <<<'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNITGJITgEABJ0BiyFVTx4AAAAASUVORK5CYII='
}

mkdir captioned classes classes/cat classes/dog empty idx
for i in 1 2 3 4; do
    picture "captioned/$i.png"
    echo "{\"file_name\": \"$i.png\", \"text\": \"number $i\"}" >>captioned/metadata.jsonl
done
picture classes/cat/1.png
picture classes/dog/1.png
printf '\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0\2ab' >idx/train-images-idx3-ubyte
printf '\0\0\10\1\0\0\0\1\3' | gzip >idx/train-labels-idx1-ubyte.gz

accept data check captioned
[ "$output" = "4 samples, 4 with a caption; 2x2 pixels; 0 unreadable" ] || fail "captioned: $output"
accept data check classes
[ "$output" = "2 samples, 0 with a caption, 2 with one of 2 labels; 2x2 pixels; 0 unreadable" ] || fail "classes: $output"
accept data check idx --json
grep -q '"samples":1,"captions":0,"labels":1,"classes":\["0","1","2","3"\]' <<<"$output" || fail "idx: $output"
accept data check "$PWD/classes" --split dog
grep -q '^1 samples' <<<"$output" || fail "split: $output"

refuse 1 'nowhere: there is no such folder' data check nowhere
refuse 1 'empty: is no training set' data check empty
refuse 1 'is a file' data check captioned/1.png
refuse 2 'no split "test"' data check captioned --split test
refuse 2 'needs' data check

# Each fault is named, the others are read all the same.
head -c 50 captioned/1.png >captioned/2.png
rm captioned/3.png
{ echo '{"file_name": "../4.png"}'; echo 'nonsense'; } >>captioned/metadata.jsonl
rc=0
"$dit" data check captioned --json >out 2>err </dev/null || rc=$?
[ "$rc" -eq 1 ] || fail "faults: exit code $rc"
for fault in captioned/2.png captioned/3.png 'metadata.jsonl, line 5' 'metadata.jsonl, line 6' '4 of its samples cannot be read'; do
    grep -q "^dit: .*$fault" err || fail "faults: \"$fault\" is not named: $(cat err)"
done
[ "$(grep -c '^dit: ' err)" -eq 5 ] || fail "faults: $(cat err)"
grep -q '"samples":4' out || fail "faults: $(cat out)"
[ "$(grep -o '"file":' out | wc -l)" -eq 4 ] || fail "faults: $(cat out)"

# A set by name is looked for in the cache.
mkdir -p cache/dit/data
cp -r classes cache/dit/data/toys
output=$(XDG_CACHE_HOME=$PWD/cache "$dit" data check toys 2>/dev/null </dev/null) || fail "a set of the cache"
