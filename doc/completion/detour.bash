# SPDX-License-Identifier: MIT
# Completion of detour for bash. The program itself says which commands and options there are, and
# what the options take.

# What the option $3 of the command $2 takes: FILE, browser|rfc; nothing where it is a switch.
_detour_argument()
{
    [[ $3 =~ ^-[-a-zA-Z0-9.]+$ ]] || return
    "$1" "$2" --help 2>/dev/null |
        grep -oE -m 1 -- "(^|[ [])$3(, --[a-z-]+)? ([A-Z][A-Z:=2]*|[a-z]+(\\|[a-z]+)+)" | sed 's/.* //'
}

# mirrors/eu1, of each pool.
_detour_servers()
{
    "$1" pools --json 2>/dev/null |
        sed -n -e '/^      "name": "\(.*\)",$/{s//\1/;h;}' \
            -e '/^          "name": "\(.*\)",$/{s//\1/;G;s/\(.*\)\n\(.*\)/\2\/\1/p;}'
}

_detour()
{
    local program=$1 cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=
    local argument
    argument=$(_detour_argument "$program" "$command" "${COMP_WORDS[COMP_CWORD - 1]}")
    if ((COMP_CWORD == 1)); then
        words="$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version"
    elif [[ $argument == FILE || $argument == NEW || ($command == audit && -z $argument && $cur != -*) ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    elif [[ $argument == [a-z]* ]]; then
        words=${argument//|/ }
    elif [[ -n $argument ]]; then
        : # a number, a name: nothing is known of it
    elif [[ $cur == -* ]]; then
        words=$("$program" "$command" --help 2>/dev/null | grep '^  *-' |
            grep -oE -- '(^|[ ,])--?[a-zA-Z]([a-z0-9.-]*[a-z0-9])?' | tr -d ' ,' | sort -u)
    else
        case $command in
        off | extend | link | history)
            words=$("$program" list --all --json 2>/dev/null |
                sed -n 's/^      "name": "\(.*\)",$/\1/p') ;;
        drain | ready | weight) words=$(_detour_servers "$program") ;;
        pools) words=$(_detour_servers "$program" | sed 's,/.*,,' | sort -u) ;;
        server)
            case $COMP_CWORD,${COMP_WORDS[2]} in
            2,*) words='add remove' ;;
            *,add) words=$(_detour_servers "$program" | sed 's,/.*,,' | sort -u) ;;
            *,remove) words=$(_detour_servers "$program") ;;
            esac
            ;;
        token) words='add remove list' ;;
        uri) words='match expand resolve' ;;
        help) words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p') ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _detour detour
