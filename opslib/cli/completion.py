"""`opslib completion`: the script by which a shell learns to complete our arguments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, get_completion_class, split_arg_string

from opslib.cli.click_parts import command, option
from opslib.cli.screen import Screen, written
from opslib.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["Bash", "completion"]

VARIABLE = "_OPSLIB_COMPLETE"
PROGRAM = "opslib"
SHELLS = ("bash", "zsh", "fish")
EXAMPLES = (
    ("opslib completion bash --install", "Install it for the current user; new shells have it."),
    ('eval "$(opslib completion zsh)"', "Have it in this shell only."),
)
_BASH = """\
%(complete_func)s() {
    local reply type value
    reply=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                case $value in *=) compopt -o nospace ;; esac ;;
        esac
    done <<< "$reply"
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Completion for bash of words with `:` and `=` in them, which bash takes for several."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Leave out click's question to whichever bash is found first."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one at it."""
        text = os.environ.get("COMP_LINE", "")
        words = split_arg_string(text)[1:]
        return (words, "") if not words or text[-1:].isspace() else (words[:-1], words[-1])

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return completions without what bash takes for words of their own."""
        found = super().get_completions(args, incomplete)
        breaks = set(":=").intersection(os.environ.get("COMP_WORDBREAKS", ":="))
        cut = max((incomplete.rfind(sign) + 1 for sign in breaks), default=0)
        for item in found:
            item.value = item.value[cut:]
        return found


@command("completion", examples=EXAMPLES)
@click.argument("shell", type=click.Choice(SHELLS))
@option("--install", is_flag=True, help="Write it to where the shell looks for the current user's completions.")
@click.pass_context
def completion(context: click.Context, shell: str, *, install: bool) -> int:
    """Print the completion script for a shell, or install it."""
    made = Bash if shell == "bash" else get_completion_class(shell)
    if made is None:
        raise UsageError(f"this version of click knows no completion for {shell}")
    script = made(context.find_root().command, {}, PROGRAM, VARIABLE).source()
    if not install:
        screen = Screen(sys.stdout)
        screen.write(script + "\n")
        return written(screen)
    place = _place(shell)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(script, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {place}: {error.strerror}") from error
    click.echo(f"installed: {place}")
    if shell == "zsh":
        click.echo(f"zsh finds it when ~/.zshrc has, before compinit: fpath=({place.parent} $fpath)")
    elif shell == "bash":
        click.echo("bash finds it when the package bash-completion is installed")
    return 0


def _place(shell: str) -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return {
        "bash": data / "bash-completion/completions" / PROGRAM,
        "zsh": data / "zsh/site-functions" / f"_{PROGRAM}",
        "fish": config / "fish/completions" / f"{PROGRAM}.fish",
    }[shell]
