#!/bin/sh
# Checks one of the functions: ./check.sh greeting|words
same() {
    [ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; exit 1; }
    echo "$1: ok"
}
case $1 in
greeting)
    . lib/greet.sh
    same 'greet Ann' 'Hello, Ann!' "$(greet Ann)"
    ;;
words)
    . lib/words.sh
    same 'words "one two three"' 3 "$(words 'one two three')"
    same 'words ""' 0 "$(words '')"
    ;;
*)
    echo "usage: ./check.sh greeting|words"
    exit 2
    ;;
esac
