"""`pullkeeper completion`: a script for a shell, written from the parsers of all commands.

What may follow is decided by one POSIX shell function, `_pullkeeper_candidates`, in each of the scripts: it needs no
start of Python, which would take more than a second for each press of Tab. It prints what may follow the words that it
is given, of which the last is incomplete, as plugins of kubectl do: a candidate in each line, after a tab what it
means, and at the end `:4`, or `:0` where names of files may follow (cobra's directives, which kubectl reads).
"""

import argparse
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pullkeeper.cli import main as command_line

EXAMPLES = ("bash > ~/.local/share/bash-completion/completions/pullkeeper", "zsh", "fish", "kubectl")

_FILES, _NO_FILES = ":0", ":4"
_FILE = "FILE"
"""The metavar of what names a file."""
_CORE = r"""_pullkeeper_value() {
    case $1 in
@VALUES@
    *) return 1 ;;
    esac
}
_pullkeeper_options() {
    case $1 in
@OPTIONS@
    esac
}
_pullkeeper_arguments() {
    case $1 in
@ARGUMENTS@
    *) printf '%s\n' :4 ;;
    esac
}
_pullkeeper_all() {
    command= option= position=0
    while [ $# -gt 1 ]; do
        if [ -n "$option" ]; then
            option=
        elif [ -z "$command" ]; then
            case $1 in -*) ;; *) command=$1 ;; esac
        else
            case $1 in
            -*) if _pullkeeper_value "$command $1" > /dev/null; then option=$1; fi ;;
            *) position=$((position + 1)) ;;
            esac
        fi
        shift
    done
    if [ -n "$option" ]; then
        _pullkeeper_value "$command $option"
        return
    fi
    case $1 in
    -*) _pullkeeper_options "$command" ;;
    *) _pullkeeper_arguments "$command $position" ;;
    esac
}
_pullkeeper_last() {
    while [ $# -gt 1 ]; do shift; done
    printf '%s' "$1"
}
_pullkeeper_candidates() (
    current=$(_pullkeeper_last "$@")
    _pullkeeper_all "$@" | while IFS= read -r line; do
        case $line in :* | "$current"*) printf '%s\n' "$line" ;; esac
    done
)
"""
_BASH = r"""# Completion of pullkeeper for bash: source it, or put it into a folder that bash-completion reads.
@CORE@
_pullkeeper() {
    local word line given=()
    # bash takes an equals sign for a word of its own.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [ "$word" = = ] || given+=("$word")
    done
    word=${COMP_WORDS[COMP_CWORD]}
    [ "$word" != = ] || word=
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :0) while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word") ;;
        :*) ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <(_pullkeeper_candidates ${given[@]+"${given[@]}"} "$word")
}
complete -o filenames -F _pullkeeper pullkeeper
"""
_ZSH = r"""#compdef pullkeeper
# Completion of pullkeeper for zsh: source it after compinit, or put it into a folder of fpath as _pullkeeper.
@CORE@
_pullkeeper() {
    local line files=
    local -a found
    set -- "${(@)words[2,CURRENT]}"
    for line in "${(@f)$(emulate sh; _pullkeeper_candidates "$@")}"; do
        case $line in
        :0) files=1 ;;
        :*) ;;
        *) found+=("${${line//:/\\:}/$'\t'/:}") ;;
        esac
    done
    if (( $#found )); then _describe pullkeeper found; fi
    if [[ -n $files ]]; then _files; fi
}
if [[ ${funcstack[1]} == _pullkeeper ]]; then _pullkeeper; else compdef _pullkeeper pullkeeper; fi
"""
_FISH = r"""# Completion of pullkeeper for fish: put it into ~/.config/fish/completions/pullkeeper.fish.
function __pullkeeper_candidates
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    set -e given[1]
    for line in (sh -c @CORE@ sh $given "$current")
        switch $line
            case ':0'
                __fish_complete_path "$current"
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c pullkeeper -f -a '(__pullkeeper_candidates)'
"""
_KUBECTL = r"""#!/bin/sh
# Completion of `kubectl pullkeeper`: put it on the PATH as kubectl_complete-pullkeeper, and make it executable.
@CORE@
_pullkeeper_candidates "$@"
"""
_CALL = '_pullkeeper_candidates "$@"\n'


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = "kubectl: the program kubectl_complete-pullkeeper, which completes `kubectl pullkeeper`"
    parser.add_argument("shell", choices=tuple(_SCRIPTS), help="what is to complete")


def main(options: argparse.Namespace) -> int:
    """Print the script."""
    print(_SCRIPTS[options.shell](_core(_parsers())), end="")
    return 0


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_SCRIPTS: Mapping[str, Callable[[str], str]] = {
    "bash": lambda core: _BASH.replace("@CORE@", core),
    "zsh": lambda core: _ZSH.replace("@CORE@", core),
    "fish": lambda core: _FISH.replace("@CORE@", _fish_quoted(core + _CALL)),
    "kubectl": lambda core: _KUBECTL.replace("@CORE@", core),
}


def _parsers() -> Mapping[str, argparse.ArgumentParser]:
    parsers = {name: argparse.ArgumentParser() for name in command_line.COMMANDS}
    for name, parser in parsers.items():
        command_line.add_command(name, parser)
    return parsers


def _core(parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    actions = {name: _actions(parser) for name, parser in parsers.items()}
    options = {name: [each for each in found if each.option_strings] for name, found in actions.items()}
    arguments = {name: [each for each in found if not each.option_strings] for name, found in actions.items()}
    values = [
        _case([f"{name} {option}" for option in each.option_strings], _values(each))
        for name, found in options.items()
        for each in found
        if each.nargs is None
    ]
    # Abbreviated forms are not offered: a short one only where there is no long one.
    offered = [
        _case([name], [*(_described(each.option_strings[-1], each.help) for each in found), _NO_FILES])
        for name, found in options.items()
    ]
    offered.append(_case([""], [_described("--help", "show this help"), _described("--version", "show it"), _NO_FILES]))
    positions = [
        _case([f"{name} {position}"], _values(each))
        for name, found in arguments.items()
        for position, each in enumerate(found)
    ]
    commands = [_described(name, text) for name, text in command_line.COMMANDS.items()]
    positions.append(_case([" 0"], [*commands, _NO_FILES]))
    filled = {"VALUES": values, "OPTIONS": offered, "ARGUMENTS": positions}
    core = _CORE
    for key, cases in filled.items():
        core = core.replace(f"@{key}@", "\n".join(cases))
    return core


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return list(parser._actions)  # noqa: SLF001 -- argparse has no other list of them


def _values(action: argparse.Action) -> list[str]:
    if action.choices:
        return [*map(str, action.choices), _NO_FILES]
    return [_FILES if action.type is Path or action.metavar == _FILE else _NO_FILES]


def _described(value: str, text: str | None) -> str:
    return f"{value}\t{(text or '').replace('%%', '%')}"


def _case(patterns: Iterable[str], lines: Iterable[str]) -> str:
    matched = " | ".join(shlex.quote(each) for each in patterns)
    printed = " ".join(shlex.quote(each) for each in lines)
    return f"    {matched}) printf '%s\\n' {printed} ;;"
