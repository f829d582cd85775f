# SPDX-License-Identifier: MIT
# Completion of detour for fish. The program itself says which commands and options there are.

function __detour_command
    set -l words (commandline -opc)
    echo $words[2]
end

function __detour_commands
    detour --help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

function __detour_options
    detour (__detour_command) --help 2>/dev/null | string match -r '^  *-.*' |
        string match -ra -- '--?[a-zA-Z]([a-z0-9.-]*[a-z0-9])?' | sort -u
end

function __detour_names
    detour list --all --json 2>/dev/null | string replace -rf '^      "name": "(.*)",$' '$1'
end

function __detour_words
    contains -- (commandline -opc)[-1] --scope --sandbox; and return
    switch (__detour_command)
        case off extend link history
            __detour_names
        case audit
            __fish_complete_path (commandline -ct)
        case server
            printf '%s\n' add remove
        case token
            printf '%s\n' add remove list
        case uri
            printf '%s\n' match expand resolve
        case help
            __detour_commands
    end
end

complete -c detour -f
complete -c detour -n __fish_use_subcommand -a '(__detour_commands)'
complete -c detour -n 'not __fish_use_subcommand; and not string match -q -- "-*" (commandline -ct)' -a '(__detour_words)'
complete -c detour -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -a '(__detour_options)'
complete -c detour -n 'contains -- (commandline -opc)[-1] -c --config -o --output --token-file' -F
complete -c detour -n 'contains -- (commandline -opc)[-1] --scope' -a 'read write'
complete -c detour -n 'contains -- (commandline -opc)[-1] --sandbox' -a 'off deny kill'
