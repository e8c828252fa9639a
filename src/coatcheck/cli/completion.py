"""`coatcheck completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import argparse
import sys

DESCRIPTION = """\
Print a script that lets a shell complete the commands and their options:

  bash   coatcheck completion bash > ~/.local/share/bash-completion/completions/coatcheck
  zsh    coatcheck completion zsh > DIR/_coatcheck, where DIR is in $fpath
  fish   coatcheck completion fish > ~/.config/fish/completions/coatcheck.fish
"""
EPILOG = "exit code: 0 done; 2 it needs shtab, and says how to install it. Print it anew after an update."


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")


def run(options: argparse.Namespace) -> int:
    """Print the script of `options.whole`, the parser; returns the exit code."""
    try:
        import shtab
    except ImportError:
        sys.stderr.write("coatcheck completion: shtab is missing: pip install 'coatcheck[cli]'\n")
        return 2
    sys.stdout.write(shtab.complete(options.whole, shell=options.shell) + "\n")
    return 0
