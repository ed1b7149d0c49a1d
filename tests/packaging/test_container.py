"""The Dockerfile and the compose file, as far as they can be checked without an engine."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def instructions():
    """(instruction, rest) of the Dockerfile's lines, joined where they go on."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def rest_of(instructions, name):
    return [rest for instruction, rest in instructions if instruction == name]


def test_what_is_copied_is_there_and_sent_to_the_engine(instructions):
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    assert rules[0] == "*"
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = set()
    for rest in rest_of(instructions, "COPY"):
        if not rest.startswith("--from=build "):
            copied.update(rest.split()[:-1])
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
    # The wheel wants no other file of the root than these.
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "src"} <= copied
    assert any(fnmatch("src/spectrace/__pycache__", rule.replace("**", "*")) for rule in rules[1:])


def test_what_is_installed_is_what_the_project_has(instructions):
    (run,) = rest_of(instructions, "RUN")
    subprocess.run(["sh", "-n"], input=run, text=True, check=True)
    words = shlex.split(run)
    extras = re.fullmatch(r"\.\[(.*)\]", words[-1])[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    assert "serve" in extras
    constraints = (ROOT / words[words.index("--constraint") + 1]).read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)$", constraints, re.MULTILINE))
    wanted = [*PROJECT["dependencies"], *(one for e in extras for one in PROJECT["optional-dependencies"][e])]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[requirement.name]), requirement


def test_the_image_runs_the_command_as_nobody(instructions):
    versions = {
        re.fullmatch(r"python:([\d.]+)-slim( AS build)?", rest)[1] for rest in rest_of(instructions, "FROM")
    }
    (version,) = versions
    assert version in SpecifierSet(PROJECT["requires-python"])
    (user,) = rest_of(instructions, "USER")
    assert int(user.split(":")[0]) > 0
    assert rest_of(instructions, "ENTRYPOINT") == [f'["{next(iter(PROJECT["scripts"]))}"]']
    prefixes = {
        word for rest in rest_of(instructions, "RUN") for word in rest.split() if word.startswith("/opt")
    }
    (prefix,) = prefixes
    assert f"--from=build {prefix} {prefix}" in rest_of(instructions, "COPY")
    assert f"PATH={prefix}/bin:$PATH" in rest_of(instructions, "ENV")[0].split()


@pytest.fixture
def service(settings_of):
    return settings_of("compose.yaml")["services"]["serve"]


def test_the_compose_file_fits_its_schema(fits):
    fits("vendor.compose-spec", ROOT / "compose.yaml")


def test_the_service_is_for_this_machine_and_holds_no_rights(service):
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["environment"]["SPECTRACE_SERVE_TOKEN"].startswith("${SPECTRACE_SERVE_TOKEN:?")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["environment"]["SPECTRACE_SERVE_WORKERS"]) == service["cpus"]


def test_the_service_answers_and_its_health_is_seen(service, parses):
    options = parses(service["command"])
    assert f":{options['port']}" in service["ports"][0].removeprefix("127.0.0.1:${SPECTRACE_PORT:-8000}")
    patience = sum(options[f"{name}_seconds"] for name in ("receive", "wait", "work"))
    assert patience < int(service["stop_grace_period"].rstrip("s"))
    process = subprocess.Popen(
        [sys.executable, "-m", "spectrace", *service["command"], "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **service["environment"], "SPECTRACE_SERVE_TOKEN": "open-sesame"},
    )
    with process:
        try:
            port = re.search(r":(\d+)/", process.stderr.readline())[1]
            address = f"http://127.0.0.1:{port}/v1/limits"
            assert httpx.get(address).status_code == 401
            limits = httpx.get(address, headers={"Authorization": "Bearer open-sesame"}).json()
            assert limits["workers"] == service["cpus"]
            assert healthy(service, port)
        finally:
            process.terminate()
    assert not healthy(service, port)


def healthy(service, port):
    kind, _, *arguments = service["healthcheck"]["test"]
    assert kind == "CMD"
    arguments = [argument.replace(":8000/", f":{port}/") for argument in arguments]
    return subprocess.run([sys.executable, *arguments], capture_output=True, check=False).returncode == 0


def test_the_commands_of_the_guide(blocks, parses):
    commands = [shlex.split(line) for block in blocks("guide-docker.md") for line in block.splitlines()]
    ours = [words[words.index("spectrace") + 1 :] for words in commands if words[:2] == ["docker", "run"]]
    assert [words[0] for words in ours] == ["detect", "scan"]
    for words in ours:
        parses(words)
