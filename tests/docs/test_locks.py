"""The locks hold what pyproject.toml asks for, by version and hash, and nothing of this machine."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.fixtures.documentation import ROOT, load_script

LOCKS = ("intake", "portal", "worker", "service", "dev")
PINNED = re.compile(
    r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)(?: ; (.+?))? \\\n"
    r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64", "python_full_version": "3.11.14"}
LINUX |= {"python_version": "3.11", "implementation_name": "cpython", "platform_system": "Linux"}


def locked(name):
    """Version by package, as pip takes it in the images."""
    found = {}
    for package, version, marker in PINNED.findall(text_of(name)):
        if not marker or Requirement(f"x ; {marker}").marker.evaluate(LINUX):
            assert canonicalize_name(package) not in found, package
            found[canonicalize_name(package)] = version
    return found


def text_of(name):
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def asked_for(extra):
    """What an extra needs directly, those of other extras within it included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def needs(texts):
        for text in texts:
            requirement = Requirement(text)
            if requirement.name == "iadd-exchange":
                for other in requirement.extras:
                    yield from needs(extras[other])
            elif requirement.marker is None or requirement.marker.evaluate(LINUX):
                yield requirement

    return [*needs(project["dependencies"]), *needs(extras[extra])]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_what_is_asked_for(lock):
    versions = locked(lock)

    for requirement in asked_for(lock):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


@pytest.mark.parametrize("lock", [*LOCKS, "build"])
def test_every_line_is_a_version_with_its_hashes(lock):
    """And so nothing names an index, a file or another machine."""
    assert PINNED.sub("", text_of(lock)) == ""


def test_what_is_tested_is_what_the_images_get():
    tested = locked("dev")

    for lock in ("intake", "portal", "worker", "service"):
        assert locked(lock).items() <= tested.items()


def test_the_wheel_is_built_with_what_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    versions = locked("build")

    for requirement in map(Requirement, project["build-system"]["requires"]):
        assert requirement.specifier.contains(versions[requirement.name])
    assert "pip wheel --no-build-isolation" in (ROOT / "deploy/Dockerfile").read_text()


def test_the_images_install_nothing_else():
    dockerfile = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install ([^\n]*?)(?=&&|\n)", dockerfile)

    assert installs
    for arguments in installs:
        assert "--require-hashes" in arguments or "--no-deps --no-index" in arguments


def test_the_table_of_dependencies_is_as_make_lock_leaves_it():
    dependencies = load_script("dependencies")
    page = dependencies.PAGE.read_text()

    assert dependencies.renewed(page) == page
    assert "| ? |" not in page
    assert len(dependencies.direct_dependencies()) > 40
