# shellcheck shell=bash
# Single keys of a configuration file; ini.awk does the work.

ini() { LC_ALL=C INI_DO=$1 INI_SECTION=${3-} INI_KEY=${4-} INI_VALUE=${5-} awk -f "$PROJECT_DIR/scripts/install/ini.awk" "$2"; }

# ini_get FILE SECTION KEY: its value; fails when the file does not set it.
ini_get() { ini get "$1" "$2" "$3"; }
# ini_raw FILE SECTION KEY: what stands behind the equals sign, unread.
ini_raw() { ini raw "$1" "$2" "$3"; }
# ini_keys FILE: section.key of all that it sets. ini_known_keys: also of what is commented out.
ini_keys() { ini keys "$1"; }
ini_known_keys() { ini known "$1"; }

# ini_set FILE SECTION KEY VALUE: in its own line, the rest of the file stays as it is.
ini_set() {
  local draft
  case $4 in *[$'\001'-$'\010'$'\012'-$'\037'$'\177']*)
    fail "the value for $3 has a line break or another control character in it" 'give it on one line'
    ;;
  esac
  draft=$(mktemp "$1.XXXXXX") || return
  if ini set "$1" "$2" "$3" "$4" >"$draft" && cat "$draft" >"$1"; then rm -f "$draft"; else
    rm -f "$draft"
    return 1
  fi
}
