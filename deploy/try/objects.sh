#!/bin/sh
# The official image's entry point runs the program with what it is given.
exec /usr/bin/weed "$@"
