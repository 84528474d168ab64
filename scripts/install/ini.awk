# Reads and changes a configuration in our INI dialect (src/config/ini.ts says what that is), line by line, so that
# comments, order and spelling of a file that belongs to somebody stay as they are. Asked through the environment:
#
#   INI_DO=get     INI_SECTION INI_KEY             prints the value; exit 1 when the file does not set the key
#   INI_DO=raw     INI_SECTION INI_KEY             the same with quotes and comment as they stand there
#   INI_DO=set     INI_SECTION INI_KEY INI_VALUE   prints the text with the key set
#   INI_DO=keys                                    prints section.key of all that is set
#   INI_DO=known                                   the same and of all that is commented out

BEGIN {
  doing = ENVIRON["INI_DO"]
  wanted_section = ENVIRON["INI_SECTION"]
  wanted_key = ENVIRON["INI_KEY"]
  # U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000, U+FEFF in UTF-8.
  UNUSUAL_SPACE = "\302\240|\341\232\200|\342\200[\200-\212\250\251\257]|\342\201\237|\343\200\200|\357\273\277"
}

{
  line[NR] = $0
  text = $0
  if (NR == 1) sub(/^\357\273\277/, "", text)
  sub(/\r$/, "", text)
  text = trim(text)
  if (text ~ /^\[/) {
    section = text
    sub(/^\[/, "", section)
    sub(/\].*$/, "", section)
    section = trim(section)
    if (section == wanted_section && !section_line) section_line = NR
    next
  }
  if (section == wanted_section && section_line && text != "") last_in_section = NR
  is_comment = text ~ /^[#;]/
  if (is_comment) text = trim(substr(text, 2))
  equals = index(text, "=")
  key = trim(substr(text, 1, equals ? equals - 1 : 0))
  if (key !~ /^[a-z0-9_]+$/) next
  if (doing == "known" || (doing == "keys" && !is_comment)) { print section "." key; next }
  if (section != wanted_section || key != wanted_key) next
  if (is_comment && !commented_line) commented_line = NR
  if (!is_comment && !active_line) {
    active_line = NR
    raw = substr(text, equals + 1)
  }
}

END {
  if (doing == "keys" || doing == "known") exit 0
  if (doing == "get" || doing == "raw") {
    if (!active_line) exit 1
    print doing == "get" ? value_of(raw) : trim(raw)
    exit 0
  }
  ending = NR && line[NR] ~ /\r$/ ? "\r" : ""
  for (number = 1; number <= NR; number++) {
    if (number == active_line) print with_value(line[number])
    else if (!active_line && number == commented_line) print assignment() carriage_return(line[number])
    else print line[number]
    # A key that the section does not mention comes last in it, before the blank lines that lead to the next one.
    if (!active_line && !commented_line && section_line && number == (last_in_section ? last_in_section : section_line))
      print assignment() ending
  }
  if (!section_line) {
    if (NR) print ending
    print "[" wanted_section "]" ending
    print assignment() ending
  }
}

function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
function carriage_return(text) { return text ~ /\r$/ ? "\r" : "" }
function assignment() { return trim(wanted_key " = " quoted(ENVIRON["INI_VALUE"])) }

# As quoteIni of src/config/ini.ts, and with quotes around every unusual space too: the program takes those for space.
function quoted(value) {
  if (value == trim(value) && value !~ /^["'#;]/ && value !~ /[ \t][#;]/ && value !~ UNUSUAL_SPACE) return value
  gsub(/"/, "\"\"", value)
  return "\"" value "\""
}

# The line with another value; indentation, spelling and comment stay.
function with_value(text,    equals, rest) {
  equals = index(text, "=")
  rest = substr(text, equals + 1)
  sub(/\r$/, "", rest)
  return substr(text, 1, equals) " " quoted(ENVIRON["INI_VALUE"]) comment_of(rest) carriage_return(text)
}

# Where the value of a raw text ends: behind the closing quote, or before the white space of a comment.
function end_of(text,    lead, quote, at, character) {
  match(text, /^[ \t]*/)
  lead = RLENGTH
  quote = substr(text, lead + 1, 1)
  if (quote == "\"" || quote == "'") {
    for (at = lead + 2; at <= length(text); at++) {
      character = substr(text, at, 1)
      if (character != quote) continue
      if (substr(text, at + 1, 1) != quote) return at
      at++
    }
    return length(text)
  }
  return match(text, /[ \t]+[#;]/) ? RSTART - 1 : length(text)
}

function comment_of(text) { text = substr(text, end_of(text) + 1); return trim(text) == "" ? "" : text }

function value_of(text,    quote) {
  text = trim(substr(text, 1, end_of(text)))
  quote = substr(text, 1, 1)
  if (quote != "\"" && quote != "'") return text
  text = substr(text, 2, length(text) - 2)
  gsub(quote quote, quote, text)
  return text
}
