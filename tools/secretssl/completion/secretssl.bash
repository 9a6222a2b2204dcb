# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of secretssl(1) for bash: installed as .../bash-completion/completions/secretssl.

# _secretssl_words WORD…: those that begin with what is typed. compgen -W would execute what names can contain.
_secretssl_words()
{
    local word
    COMPREPLY=()
    for word; do
        [[ $word != "$current"* ]] || COMPREPLY+=("$(printf %q "$word")")
    done
}

_secretssl_unit_names()
{
    systemctl list-unit-files --type=service --no-legend --plain 2>/dev/null | cut --delimiter=' ' --fields=1
}

_secretssl_units()
{
    local units
    mapfile -t units < <(_secretssl_unit_names)
    _secretssl_words "${units[@]}"
}

# By number, program or unit. A name that would have to be quoted is left out.
_secretssl_processes()
{
    local words directory
    mapfile -t words < <(
        cat /proc/[1-9]*/comm 2>/dev/null | grep --line-regexp --extended-regexp '[[:alnum:]._:@-]+'
        _secretssl_unit_names
    )
    for directory in /proc/[1-9]*; do
        words+=("${directory#/proc/}")
    done
    _secretssl_words "${words[@]}"
}

_secretssl_files()
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

# The value of the option before the cursor; fails if that takes none.
_secretssl_value()
{
    case $1 in
    --arena-size | --prefault | --set | --wait) COMPREPLY=() ;;
    --uncached) _secretssl_words off prefer require ;;
    --route) _secretssl_words all keys ;;
    --fork) _secretssl_words copy deny ;;
    --log) _secretssl_words stderr syslog none / ;;
    --key | --keylog | --passin | --output) _secretssl_files ;;
    --memlock | --connections | --certificates) COMPREPLY=() ;;
    --color) _secretssl_words auto always never ;;
    *) return 1 ;;
    esac
}

# Where COMMAND of `secretssl run` stands; fails if it was not typed yet.
_secretssl_run_command()
{
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --) echo $((i + 1)) && return ;;
        --arena-size | --prefault | --uncached | --route | --fork | --log | --set)
            [ "${COMP_WORDS[i + 1]}" != = ] || i=$((i + 1))
            i=$((i + 1))
            ;;
        -*) ;;
        *) echo "$i" && return ;;
        esac
    done
    return 1
}

_secretssl_run()
{
    local start
    if start=$(_secretssl_run_command) && [ "$start" -lt "$COMP_CWORD" ]; then
        # COMMAND's own completion, where the package bash-completion is loaded
        if declare -F _command_offset >/dev/null; then
            _command_offset "$start"
        else
            _secretssl_files
        fi
    elif [[ $current == -* && -z $start ]]; then
        _secretssl_words --arena-size --prefault --require --uncached --route --fork --log \
            --stats --trace --set --help --version --
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
    fi
}

_secretssl()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()

    if [ "$COMP_CWORD" = 1 ]; then
        _secretssl_words run doctor stat scan enable disable status --help --version
        return
    fi
    # --option=value comes in three words.
    if [ "$current" = = ]; then
        current=
    elif [ "$before" = = ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "${COMP_WORDS[1]}" != run ] || ! _secretssl_run_command >/dev/null; then
        ! _secretssl_value "$before" || return 0
    fi
    case ${COMP_WORDS[1]}:$current in
    run:*) _secretssl_run ;;
    doctor:-*) _secretssl_words --json --against-root --help --version ;;
    stat:-*)
        _secretssl_words --all --color --strict --verbose --wait --watch --json --prometheus --per-process \
            --output --help --version
        ;;
    scan:-*) _secretssl_words --key --keylog --passin --kernel --json --help --version ;;
    enable:-*)
        _secretssl_words --now --key --memlock --connections --certificates --dry-run --help --version
        ;;
    disable:-*) _secretssl_words --now --help --version ;;
    status:-*) _secretssl_words --help --version ;;
    doctor:* | stat:* | scan:*) _secretssl_processes ;;
    enable:* | disable:* | status:*) _secretssl_units ;;
    esac
}

complete -F _secretssl secretssl
