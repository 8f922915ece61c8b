"""Every page, by what the modules in `app.web.pages` mount."""

import importlib
import pkgutil

import app.web.pages


def pages() -> list[str]:
    """`GET /datasets`, `POST /datasets/new` and all others, by address."""
    found = [
        f"{method} {route.path}"
        for module in pkgutil.iter_modules(app.web.pages.__path__)
        for route in importlib.import_module(f"app.web.pages.{module.name}").router.routes
        for method in sorted(route.methods)
    ]
    return sorted(found, key=lambda name: [*reversed(name.split())])
