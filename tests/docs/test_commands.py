"""Every command in the documentation exists, and is run by a test or listed with the reason."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import app
from app.core.settings import Settings
from tests.docs.blocks import NOT_RUN, NOT_RUN_PAGES, RUN
from tests.fixtures.documentation import (
    ROOT,
    anchors,
    blocks,
    inline_code,
    lines,
    mentioned,
    pages,
    unknown_part,
)
from worker.settings import WorkerSettings

BLOCKS = [block for page in pages() for block in blocks(page, "sh")]


def test_every_exchange_command_and_option_exists():
    """Those of `iadd` are in `tests/iadd/cli/test_documented_commands.py`, which loads torch."""
    command = get_command(app)
    named = list(mentioned("exchange"))

    wrong = [(page, args) for page, args in named if unknown_part(command, args) is not None]

    assert len(named) > 90
    assert wrong == []


def test_a_wrong_command_or_option_would_be_found():
    command = get_command(app)

    assert unknown_part(command, ["uplaod", "x.zip"]) == "uplaod"
    assert unknown_part(command, ["audit", "exprot"]) == "exprot"
    assert unknown_part(command, ["upload", "x.zip", "--layuot=a"]) == "--layuot"
    assert unknown_part(command, ["upload", "x.zip", "--layout", "a"]) is None


def test_every_option_of_docker_compose_exists():
    """As the real program says; an engine is not needed for that."""
    compose = Path(sys.executable).with_name("docker-compose")
    if not compose.exists():
        pytest.skip("needs docker-compose, a wheel of the extra dev")
    asked = [
        words
        for text in [line for block in BLOCKS for line in lines(block.text)]
        for words in calls_of("docker compose", text)
    ]
    assert len(asked) > 5
    for command, options in asked:
        done = subprocess.run(
            [str(compose), command, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, command
        known = set(re.findall(r"--[a-z-]+|-[a-zA-Z]\b", done.stdout))
        assert set(options) <= known, (command, options)


def calls_of(program, line):
    """Sub command and its own options, of each call: those before what runs in a container."""
    for rest in re.findall(rf"{program}((?: [^|#&)]+)+)", line):
        words = shlex.split(re.sub(r"^(?: -f \S+)+", "", rest))
        options, at = [], 1
        while at < len(words) and words[at].startswith("-"):
            options.append(words[at])
            at += 2 if words[at] in ("--user", "--volume", "--env") else 1
        yield words[0], options


def test_every_target_of_make_exists():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    texts = [block.text for block in BLOCKS]
    texts += [code for page in pages() for code in inline_code(page)]
    named = {name for text in texts for name in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)}

    assert len(named) > 10
    assert named <= set(targets)


def test_every_block_is_run_or_listed_with_the_reason():
    names = [block.name for block in BLOCKS if block.page not in NOT_RUN_PAGES]

    assert len(set(names)) == len(names), "two blocks of a page begin with the same command"
    assert set(names) == set(RUN) | set(NOT_RUN)
    assert not set(RUN) & set(NOT_RUN)


def test_what_is_said_to_run_a_block_names_it():
    """By its page and the beginning of its first command, as `Page.run` looks it up."""
    for (page, command), test in RUN.items():
        path, _, name = test.partition("::")
        source = (ROOT / path).read_text()
        body = source[source.index(f"def {name}(") :].partition("\n\n\n")[0]
        started = re.findall(r"\.(?:run|commands)\(\s*(\"[^\"]+\"|'[^']+')", body)
        assert f'"{page}"' in source, (page, test)
        assert any(command.startswith(text[1:-1]) for text in started), (page, command)


def test_every_setting_that_is_named_exists():
    known = {f"EXCHANGE_{name.upper()}" for name in Settings.model_fields}
    known |= {f"EXCHANGE_{name.upper()}" for name in WorkerSettings.model_fields}
    # Of the client, of compose, and of the tests.
    known |= {"EXCHANGE_PORTAL_URL", "EXCHANGE_TOKEN", "EXCHANGE_TEST_DATABASE", "EXCHANGE_ROWS"}
    known |= set(re.findall(r"\$\{(EXCHANGE_\w+)", (ROOT / "docker-compose.yml").read_text()))

    for page in pages():
        named = set(re.findall(r"EXCHANGE_[A-Z_]+[A-Z]", page.read_text()))
        assert named <= known, page


def test_every_link_within_the_documentation_leads_somewhere():
    for page in pages():
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), (page, link)
            assert not anchor or anchor in anchors(target), (page, link)


def test_python_and_json_can_be_read():
    """`tests/test_guide.py` and the e2e tests run what needs nothing that a reader fills in."""
    python = [block for page in pages() for block in blocks(page, "python")]
    assert len(python) > 3
    for block in python:
        compile(block.text, block.page, "exec")
    for page in pages():
        for block in blocks(page, "json"):
            json.loads(block.text)


def test_every_file_that_is_named_as_proof_exists():
    text = (ROOT / "docs/security.md").read_text()
    named = re.findall(r"`((?:tests|app|frontend|docs|requirements|deploy)/[\w./-]*)`", text)

    assert len(named) > 25
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}: {block.name[1]}"[:70])
def test_a_shell_can_read_every_block(block):
    done = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
