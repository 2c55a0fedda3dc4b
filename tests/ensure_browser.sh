#!/bin/sh
# The tests drive the machine's Chromium. Installs Debian's where we may; says what to install where we may not.
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium for the browser tests ..."
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } >/dev/null && exit 0
fi
echo "The browser tests need Chromium on PATH: install it (Debian and Ubuntu: apt install chromium) and run make test again." >&2
exit 1
