#!/bin/sh
# Runs Pullkeeper's commands in an environment of their own. The first run creates it, from packages that are verified by
# their hashes; KUBECTL_PULLKEEPER_PYTHON names the Python for it.
set -eu
here=$(dirname "$(readlink -f "$0")")
home=${XDG_CACHE_HOME:-$HOME/.cache}/pullkeeper/kubectl-plugin-@VERSION@
if [ ! -x "$home/bin/python" ]; then
  python=${KUBECTL_PULLKEEPER_PYTHON:-python3}
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "kubectl pullkeeper needs Python 3.11 or newer: set KUBECTL_PULLKEEPER_PYTHON to one" >&2
    exit 1
  fi
  echo "preparing the environment of kubectl pullkeeper @VERSION@ (first run only)" >&2
  fresh=$home.$$
  mkdir -p "$(dirname "$home")"
  trap 'rm -rf "$fresh"' EXIT
  "$python" -m venv "$fresh"
  pip() { "$fresh/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
  pip --require-hashes --only-binary :all: -r "$here/requirements.txt" >&2
  pip --no-index --no-deps "$here"/*.whl >&2
  # A link is put there at once: nobody runs half an environment, whoever else prepares one at the same time.
  ln -sfn "$fresh" "$home"
  trap - EXIT
fi
exec "$home/bin/python" -m pullkeeper "$@"
