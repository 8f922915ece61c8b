#!/bin/sh
# Writes what the Python environment of the image contains, as CycloneDX; the tool itself is not in
# the image.
set -eu
python -m venv /tmp/sbom
/tmp/sbom/bin/pip install --quiet 'cyclonedx-bom>=7.5,<8'
install -d /usr/share/sbom
/tmp/sbom/bin/cyclonedx-py environment --output-reproducible \
    --output-file /usr/share/sbom/exchange.cdx.json "$(command -v python)"
rm -rf /tmp/sbom
