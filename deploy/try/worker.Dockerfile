# The workers of `deploy/try.sh --quick`: the portal's image, which finds PyTorch and the rest among
# the packages of the machine's own environment.
ARG PORTAL
FROM ${PORTAL}
USER root
RUN python -c "import pathlib, sysconfig; \
    pathlib.Path(sysconfig.get_path('purelib'), 'packages.pth').write_text('/packages\n')"
USER exchange
