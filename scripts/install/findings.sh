# shellcheck shell=bash
# How an examination speaks: as the doctor of agent and server does, a line for each thing, with cause and remedy where it is bad.

COUNT_OK=0 COUNT_WARN=0 COUNT_FAIL=0 COUNT_SKIPPED=0

fine() { COUNT_OK=$((COUNT_OK + 1)) && finding ok "$@"; }
doubtful() { COUNT_WARN=$((COUNT_WARN + 1)) && finding WARN "$@"; }
wrong() { COUNT_FAIL=$((COUNT_FAIL + 1)) && finding FAIL "$@"; }
unexamined() { COUNT_SKIPPED=$((COUNT_SKIPPED + 1)) && finding - "$@"; }

# finding VERDICT TITLE FOUND [CAUSE [REMEDY...]]
finding() {
  local verdict=$1 title=$2 found=$3 cause=${4-} label=remedy line
  shift "$(($# < 4 ? $# : 4))"
  found_line "$(printf '%-6s%-18s' "$verdict" "$title")" "$found"
  [ -z "$cause" ] || found_line "$(printf '%-24s%-8s' '' cause)" "$cause"
  for line in "$@"; do
    found_line "$(printf '%-24s%-8s' '' "$label")" "$line"
    label=''
  done
}

found_line() {
  printf '  %s%s\n' "$1" "$2"
  log_line "$1$2"
}

counted() { if [ "$1" = 1 ]; then printf '1 %s' "$2"; else printf '%s %ss' "$1" "$2"; fi; }

print_counts() {
  printf '\n%s ok, %s, %s, %s not examined\n' "$COUNT_OK" "$(counted "$COUNT_WARN" warning)" "$(counted "$COUNT_FAIL" failure)" "$COUNT_SKIPPED"
}
