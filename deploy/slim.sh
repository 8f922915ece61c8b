#!/bin/sh
# Removes from the portal's image what nothing there uses: dates and numbers are written in English,
# nobody debugs the event loop's C, others' tests are theirs.
set -eu
packages=$(python -c 'import babel, pathlib; print(pathlib.Path(babel.__file__).parents[1])')
find "$packages/babel/locale-data" -name '*.dat' ! -name 'root.dat' ! -name 'en*.dat' -delete
apt-get update
apt-get install --yes --no-install-recommends binutils
find "$packages/uvloop" -name '*.so' -exec strip --strip-unneeded {} +
apt-get purge --yes --auto-remove binutils
rm -rf /var/lib/apt/lists/* /var/cache/apt/*
find "$packages/pygments/lexers" "$packages/sqlalchemy/testing" -name '*.pyc' -delete
find "$packages" -type d -name tests -prune -exec rm -rf {} +
