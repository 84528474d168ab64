# shellcheck shell=bash
# The programs by name, for people: techtemp-device and techtemp-server in /usr/local/bin, as the doctors' remedies call them.

COMMAND_DIR=/usr/local/bin

# provide_commands FOLDER: those that the roles need, from FOLDER/systemd.
provide_commands() {
  local name
  [ -e "$1/systemd/techtemp-command" ] || return 0
  for name in ${ROLE_DEVICE:+techtemp-device} ${ROLE_SERVER:+techtemp-server}; do
    # An older agent may be a program of this name; who calls it by its path still finds it.
    if [ -e "$COMMAND_DIR/$name" ] && ! manifest_list file | grep -xF "$COMMAND_DIR/$name" >/dev/null; then
      detail "$COMMAND_DIR/$name is not ours and stays; ours: node $INSTALL_DIR/current/dist/$name.js"
      continue
    fi
    install_copy "$1/systemd/techtemp-command" "$COMMAND_DIR/$name" 0755 root:root || :
  done
}
