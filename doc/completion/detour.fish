# SPDX-License-Identifier: MIT
# Completion of detour for fish. The program itself says which commands and options there are, and
# what the options take.

function __detour_command
    set -l words (commandline -opc)
    echo $words[2]
end

function __detour_commands
    detour --help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

function __detour_options
    detour (__detour_command) --help 2>/dev/null | string match -r '^  *-.*' |
        string match -rag -- '(?:^|[ ,])(--?[a-zA-Z](?:[a-z0-9.-]*[a-z0-9])?)' | sort -u
end

# What the option before the cursor takes: FILE, browser|rfc; nothing where it is a switch.
function __detour_argument
    set -l option (commandline -opc)[-1]
    string match -rq -- '^-[-a-zA-Z0-9.]+$' $option; or return
    detour (__detour_command) --help 2>/dev/null |
        string match -rg -- "(?:^|[ [])$option(?:, --[a-z-]+)? ([A-Z][A-Z:=2]*|[a-z]+(?:\\|[a-z]+)+)" | head -n 1
end

function __detour_wants_file
    set -l argument (__detour_argument)
    contains -- "$argument" FILE NEW
    or test (__detour_command) = audit -a -z "$argument" && not string match -q -- '-*' (commandline -ct)
end

function __detour_names
    detour list --all --json 2>/dev/null | string replace -rf '^      "name": "(.*)",$' '$1'
end

# mirrors/eu1, of each pool.
function __detour_servers
    set -l pool
    detour pools --json 2>/dev/null | string match -r '^      (?:    )?"name": ".*",$' | while read -l --delimiter \n line
        set -l name (string replace -r '.*"name": "(.*)",$' '$1' -- $line)
        if string match -rq '^          "' -- $line
            echo $pool/$name
        else
            set pool $name
        end
    end
end

function __detour_pools
    __detour_servers | string replace -r '/.*' '' | sort -u
end

function __detour_words
    set -l argument (__detour_argument)
    if test -n "$argument"
        string match -rq '^[a-z]' -- $argument; and string split '|' -- $argument
        return
    end
    if string match -q -- '-*' (commandline -ct)
        __detour_options
        return
    end
    switch (__detour_command)
        case off extend link history
            __detour_names
        case drain ready weight
            __detour_servers
        case pools
            __detour_pools
        case server
            switch (commandline -opc)[3]
                case add
                    __detour_pools
                case remove
                    __detour_servers
                case '*'
                    printf '%s\n' add remove
            end
        case token
            printf '%s\n' add remove list
        case uri
            printf '%s\n' match expand resolve
        case help
            __detour_commands
    end
end

complete -c detour -f
complete -c detour -n __fish_use_subcommand -a '(__detour_commands) --help --version'
complete -c detour -n 'not __fish_use_subcommand' -a '(__detour_words)'
complete -c detour -n 'not __fish_use_subcommand; and __detour_wants_file' -F
