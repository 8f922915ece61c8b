"""Every page, by what the modules in `app.web.pages` mount."""

import importlib
import pkgutil

import app.web.pages

NOTHING_TO_LIST = {
    "/sign-in",
    "/sign-in/code",
    "/forgotten",
    "/join",
    "/glossary",
    "/datasets/{dataset_id}/upload",  # leads to the dataset
    "/datasets/{dataset_id}/findings/{code}/picture",  # a picture
    "/releases/{release_id}/bundle",  # a file
}
NARROWED = [
    "/audit?action=result.downloaded",
    "/audit?subject={distillation_id}",
    "/catalogue?q=chest",
    "/catalogue?q=nothing+like+it",
    "/catalogue?class_name=covid&accuracy=50&images=100",
    "/catalogue?organisation={organisation_id}",
    "/distillations?dataset={dataset_id}",
    "/datasets/new?previous={dataset_id}",
    "/grants?side=received&release={release_id}",
    "/grants?side=sent",
    "/notices?unread=true",
    "/operations/jobs?active=true",
    "/operations/jobs?kind=distillation&organisation={organisation_id}",
    "/releases/{other_release_id}",
    "/requests?side=received&release={release_id}",
    "/requests?side=sent",
    "/trainings/new?release={other_release_id}",
]


def pages() -> list[str]:
    """`GET /datasets`, `POST /datasets/new` and all others, by address."""
    found = [
        f"{method} {route.path}"
        for module in pkgutil.iter_modules(app.web.pages.__path__)
        for route in importlib.import_module(f"app.web.pages.{module.name}").router.routes
        for method in sorted(route.methods)
    ]
    return sorted(found, key=lambda name: [*reversed(name.split())])


def addresses() -> list[str]:
    """Every page that lists rows, and lists as people narrow them; ids are still placeholders."""
    shown = [name.removeprefix("GET ") for name in pages() if name.startswith("GET ")]
    return sorted({*shown, *NARROWED} - NOTHING_TO_LIST)
