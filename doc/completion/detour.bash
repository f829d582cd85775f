# SPDX-License-Identifier: MIT
# Completion of detour for bash. The program itself says which commands and options there are.

_detour()
{
    local program=$1 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} words=
    if ((COMP_CWORD == 1)); then
        words="$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version"
    elif [[ $prev == -c || $prev == --config || $prev == -o || $prev == --output ||
        $prev == --token-file || $prev == --store || $prev == --cacert || $prev == --junit ||
        $prev == --html || $prev == -T || $prev == --upload-file || $prev == --cookie-jar ||
        ($command == audit && $cur != -*) ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    elif [[ $prev == --mode ]]; then
        words='browser rfc'
    elif [[ $prev == --scope ]]; then
        words='read write'
    elif [[ $prev == --sandbox ]]; then
        words='off deny kill'
    elif [[ $cur == -* ]]; then
        words=$("$program" "$command" --help 2>/dev/null | grep '^  *-' |
            grep -oE -- '(^|[ ,])--?[a-zA-Z]([a-z0-9.-]*[a-z0-9])?' | tr -d ' ,' | sort -u)
    else
        case $command in
        off | extend | link | history)
            words=$("$program" list --all --json 2>/dev/null |
                sed -n 's/^      "name": "\(.*\)",$/\1/p') ;;
        server) words='add remove' ;;
        token) words='add remove list' ;;
        uri) words='match expand resolve' ;;
        help) words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p') ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _detour detour
