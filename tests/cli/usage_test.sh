#!/usr/bin/env bash
# Command lines, right and wrong: help, suggestions, values out of range, exit codes.
source "$(dirname "$0")/common.sh"

# ---- Help and version
accept --version
[[ $output =~ ^dit\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "version: $output"
accept --help
overview=$output
commands=$(sed -n 's/^  \([a-z]*\( [a-z]*\)\?\)  .*/\1/p' <<<"$overview")
[ -n "$commands" ] || fail "no commands in: $overview"
while read -r command; do
    accept $command --help
    grep -q "^usage: dit $command" <<<"$output" || fail "dit $command --help has no usage line"
    grep -q "^examples:" <<<"$output" || fail "dit $command --help has no examples"
    [ "$(awk '{ print length }' <<<"$output" | sort -n | tail -1)" -le 110 ] || fail "dit $command --help is too wide"
    from_help=$output
    accept help $command
    [ "$output" = "$from_help" ] || fail "dit help $command differs from dit $command --help"
    refuse 2 "unknown option --nonsense" $command --nonsense
    refuse 2 "unknown option -~" $command -~
done <<<"$commands"
[ -z "$("$dit" help --quiet 2>&1 >/dev/null)" ] || fail "help writes to stderr"

# ---- The first word
rc=0
"$dit" >overview.txt 2>error.txt || rc=$?
[ $rc -eq 2 ] || fail "dit without a command: exit code $rc"
diff <(echo "$overview") overview.txt || fail "dit without a command does not show the commands"
rm overview.txt error.txt
refuse 2 'no command "hlep"; did you mean "dit help"' hlep
refuse 2 'no command "qqqqqqqqqq"; "dit help" lists them' qqqqqqqqqq
refuse 2 'no command ""' ''
refuse 2 'the command comes before its options' --threads 3 help
refuse 2 'no command ".+\?.+"' $'\e[31mred\a'
refuse 2 'no command' "$(head -c 100000 /dev/zero | tr '\0' x)"
refuse 2 'no command "xyzzy"' help xyzzy
refuse 2 'what to do with "c"' help a b c

# ---- Values
refuse 2 '--threads needs a whole number, not "1e9"' help --threads=1e9
refuse 2 '--threads needs a whole number, not ""' help --threads=
refuse 2 '--threads needs a whole number, not "12abc"' help --threads 12abc
refuse 2 '--threads needs a whole number, not " 3"' help --threads ' 3'
refuse 2 '--threads needs a whole number, not "nan"' help --threads nan
refuse 2 '--threads needs a whole number, not "0x10"' help --threads 0x10
refuse 2 '--threads needs a whole number, not "\+3"' help --threads +3
refuse 2 '--threads: 99999999999999999999 does not fit' help --threads 99999999999999999999
refuse 2 '--threads must be between 1 and 1024, not 0' help --threads 0
refuse 2 '--threads must be between 1 and 1024, not -1' help --threads=-1
refuse 2 '--threads must be between 1 and 1024, not 1025' help --threads 1025
refuse 2 '--threads needs a value' help --threads
refuse 2 '--threads needs a value .*--threads=--quiet' help --threads --quiet
refuse 2 '--threads is given twice' help --threads 1 --threads 2
refuse 2 '--quiet is given twice' help --quiet -q
refuse 2 '--quiet takes no value' help --quiet=yes
refuse 2 '--completions must be one of bash\|zsh\|fish, not "tcsh"' help --completions tcsh
refuse 2 '--completions is not UTF-8 text \(byte 0xff at offset 1\)' help --completions $'a\xff'
refuse 2 'unknown option --thread; did you mean --threads' help --thread 3
refuse 2 'unknown option --threasd; did you mean --threads' help --threasd=3
refuse 2 'unknown option --$' help --=3
refuse 2 'unknown option --x\?' help $'--x\x01\x02'
accept help --threads=3
accept help --threads 3 -- help

# ---- What reads the results
rc=0
"$dit" help >/dev/full 2>error.txt || rc=$?
[ $rc -eq 1 ] && grep -q 'dit: standard output: No space left' error.txt || fail "a full disk under stdout: $rc"
set +o pipefail
"$dit" help --man | true
rc=${PIPESTATUS[0]}
[ "$rc" -eq 0 ] || [ "$rc" -eq 141 ] || fail "a reader that went away: $rc"
set -o pipefail

# ---- Manual page and completions
accept help --man
while read -r command; do
    grep -qF ".SS dit $command" <<<"$output" || fail "the manual page lacks $command"
done <<<"$commands"
if command -v man >/dev/null; then
    faults=$(man --warnings -E UTF-8 -l - <<<"$output" 2>&1 >/dev/null) || true
    [ -z "$faults" ] || fail "the manual page: $faults"
fi
accept help --completions bash
bash -n <<<"$output" || fail "bash completions"
script=$output
offered=$(bash -c 'eval "$1"; COMP_WORDS=(dit he); COMP_CWORD=1; _dit; echo "${COMPREPLY[*]}"' _ "$script")
[ "$offered" = help ] || fail "bash offers \"$offered\" for \"dit he\""
offered=$(bash -c 'eval "$1"; COMP_WORDS=(dit help --comp); COMP_CWORD=2; _dit; echo "${COMPREPLY[*]}"' _ "$script")
[ "$offered" = --completions ] || fail "bash offers \"$offered\" for \"dit help --comp\""
offered=$(bash -c 'eval "$1"; COMP_WORDS=(dit help --completions z); COMP_CWORD=3; _dit; echo "${COMPREPLY[*]}"' _ "$script")
[ "$offered" = zsh ] || fail "bash offers \"$offered\" for \"dit help --completions z\""
for shell in zsh fish; do
    accept help --completions $shell
    if command -v $shell >/dev/null; then
        $shell -n <(echo "$output") || fail "$shell completions"
    fi
done
