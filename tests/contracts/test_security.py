"""What docs/security.md promises of the source: no shell between kemu and the programs that it starts."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from .source import Module, modules

#: Calls that give a text to a shell, or take one as a command.
_SHELLS = frozenset(
    {
        *("os.system", "os.popen", "pty.spawn", "subprocess.getoutput", "subprocess.getstatusoutput"),
        *("asyncio.create_subprocess_shell", "create_subprocess_shell", "commands.getoutput"),
    }
)
#: Calls whose first argument is a command: a list of words, never a text that somebody would have to take apart.
_STARTERS = frozenset({"run", "Popen", "call", "check_call", "check_output", "start", "execute"})
_STARTING = ("subprocess", "process")
_INTERPRETERS = frozenset({"sh", "bash", "dash", "zsh", "/bin/sh", "/bin/bash"})


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _find_shells(tree: ast.AST) -> Iterator[str]:
    """Yield every place where a shell could read something."""
    for call in _calls(tree):
        name = ast.unparse(call.func)
        if name in _SHELLS:
            yield f"{call.lineno}: {name}"
        if any(one.arg == "shell" for one in call.keywords):
            yield f"{call.lineno}: {name}(shell=…)"
        if _starts(name) and call.args and _is_text(call.args[0]):
            yield f"{call.lineno}: {name} of a text"
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple) and _interprets(node.elts):
            yield f"{node.lineno}: a shell with -c"


def _starts(name: str) -> bool:
    owner, _, method = name.rpartition(".")
    return owner.rpartition(".")[2] in _STARTING and method in _STARTERS


def _is_text(node: ast.expr) -> bool:
    """Say whether an expression is a text as one can see it: a literal, one with values in it, or a sum or method of such."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, right=right):
            return _is_text(left) or _is_text(right)
        case ast.Call(func=ast.Attribute(value=owner)):
            return _is_text(owner)
        case _:
            return False


def _interprets(elements: list[ast.expr]) -> bool:
    words = [one.value if isinstance(one, ast.Constant) else None for one in elements]
    return any(word in _INTERPRETERS for word in words) and any(
        isinstance(word, str) and word.startswith("-") and "c" in word for word in words
    )


@pytest.mark.parametrize("module", modules(), ids=str)
def test_no_shell_ever_reads_what_kemu_says(module: Module) -> None:
    assert list(_find_shells(module.tree)) == []


@pytest.mark.parametrize(
    "line",
    [
        "os.system(command)",
        "subprocess.run(command, shell=True)",
        "subprocess.run(command, shell=flag)",
        "subprocess.run(f'ip link show {name}')",
        "process.run('ip link show ' + name)",
        "subprocess.Popen('{} -n'.format(name))",
        "subprocess.run(['sh', '-c', text])",
        "start(('bash', '-euc', text))",
        "os.popen('ls')",
    ],
)
def test_the_rule_sees_what_it_forbids(line: str) -> None:
    assert len(list(_find_shells(ast.parse(line)))) >= 1


@pytest.mark.parametrize("line", ["subprocess.run(['ip', 'link'])", "process.run([program, module])", "nft.run(f'table {x}')"])
def test_the_rule_allows_lists_of_words(line: str) -> None:
    assert list(_find_shells(ast.parse(line))) == []
