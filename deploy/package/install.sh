#!/bin/sh
# install.sh [PREFIX]: installs this folder as PREFIX/lib/relay with PREFIX/bin/relay; as root in /usr/local, with a service
# if systemd runs, otherwise in ~/.local. Once more, from the folder of another version, it is an upgrade or a downgrade.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
isRoot=$([ "$(id -u)" -eq 0 ] && echo yes || true)
prefix=${1:-$([ "$isRoot" ] && echo /usr/local || echo "$HOME/.local")}
umask 022
# A file that was cut off or changed on its way is found here, before anything is replaced.
if ! (cd "$here" && sha256sum -c --quiet SHA256SUMS); then
    echo "install.sh: files in $here are damaged; unpack the tarball again. Nothing was installed." >&2
    exit 1
fi
replaced=
if [ -e "$prefix/lib/relay" ]; then replaced=$("$prefix/lib/relay/relay" --version 2>/dev/null || echo another); fi

# The new one is complete before it takes the place of the old one, whose files a running relay still has.
mkdir -p "$prefix/lib" "$prefix/bin"
rm -rf "$prefix/lib/relay.new" "$prefix/lib/relay.old"
mkdir "$prefix/lib/relay.new"
cp -R "$here/relay" "$here/relay.tokens" "$here/lib" "$here/licences" "$here/LICENSE" "$prefix/lib/relay.new"
if [ -e "$prefix/lib/relay" ]; then mv "$prefix/lib/relay" "$prefix/lib/relay.old"; fi
mv "$prefix/lib/relay.new" "$prefix/lib/relay"
rm -rf "$prefix/lib/relay.old"
ln -sf ../lib/relay/relay "$prefix/bin/relay"
mkdir -p "$prefix/share"
cp -R "$here/share/." "$prefix/share"
echo "installed: $prefix/bin/relay ($("$prefix/bin/relay" --version))${replaced:+, in place of $replaced}"

if [ ! "$isRoot" ] || [ ! -d /etc/systemd/system ]; then
    if [ "$replaced" ]; then echo 'A relay that runs is still the old one: restart it.'; fi
    exit 0
fi
if ! id relay >/dev/null 2>&1; then
    useradd --system --user-group --home-dir /var/lib/relay --shell /usr/sbin/nologin relay
fi
mkdir -p /etc/relay
if [ ! -d /etc/relay/secrets ]; then
    mkdir -m 750 /etc/relay/secrets
    chgrp relay /etc/relay/secrets
fi
isNew=
if [ ! -e /etc/relay/relay.env ]; then
    isNew=yes
    cp "$here/relay.env" /etc/relay/relay.env
    chgrp relay /etc/relay/relay.env
    chmod 640 /etc/relay/relay.env
fi
sed "s|/usr/bin/relay|$prefix/bin/relay|" "$here/relay.service" >/etc/systemd/system/relay.service
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart relay.service
    if systemctl --quiet is-active relay.service; then
        echo 'The service has been restarted, with the settings in /etc/relay/relay.env.'
        exit 0
    fi
fi
if [ "$isNew" ]; then
    echo 'Write the settings, then start the service:'
    echo '  sudoedit /etc/relay/relay.env'
else
    echo 'The settings in /etc/relay/relay.env stay. The service does not run; to start it:'
fi
echo '  sudo systemctl enable --now relay'
