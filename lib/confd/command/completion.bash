# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

# Completes confd-client in bash. The names of clusters come from the settings.
# The names of nodes, instances and other objects come from the node's files, or
# from a candidate that answers within a moment. Without a key no candidate can
# be asked, and no names are completed.
#
# Rule 1: no text from an answer, a file or the command line is evaluated. So
# this file
#   - does not use "compgen -W", which expands its words;
#   - has no such text in the subscript of an array in arithmetic;
#   - has its own function that splits the command line.
#
# Rule 2: each name is inserted as one word with the name as its value. Outside
# quotes, printf %q quotes the name. Within quotes, a name is offered only if it
# needs no quoting.
#
# Rule 3: a name is not offered if it has a backslash or a backquote, as no form
# of quoting is safe if an earlier line has opened a backquote. Nor is a name
# offered if it has a control character, or a non-ASCII character that is
# neither letter nor digit: some of those characters are invisible, or reverse
# the line.
#
# Facts: bash inserts a member of COMPREPLY as it is. The member replaces the
# text after the last unquoted character of COMP_WORDBREAKS, or after an open
# quote. If that character is "@" or "$", the character is replaced, too.

# Splits the command line into words like a shell, and evaluates nothing. Sets
# three variables of its caller:
#   words  all words up to the cursor; the last one is to be completed
#   kept   the part of the last word that bash does not replace
#   quote  the open quote, if any
_confd_client_split() {
  local line=${COMP_LINE:0:COMP_POINT} text= is_word= i char next
  words=() kept= quote=
  for (( i = 0; i < ${#line}; ++i )); do
    char=${line:i:1}
    next=${line:i+1:1}
    case $quote$char in
      \'\'|\"\"|\$\'\')
        quote=;;
      \"\\)
        [[ $next == [\"\\\$\`] ]] && char=$next && (( ++i ))
        text+=$char;;
      \$\'\\)
        text+=$char$next
        (( ++i ));;
      [\'\"\$]*)
        # An opening quote, or a character within quotes
        if [[ -n $quote ]]; then
          text+=$char
        elif [[ $char$next == "\$'" ]]; then
          quote="\$'" is_word=1
          (( ++i ))
          kept=$text
        elif [[ $char == \$ ]]; then
          text+=$char is_word=1
        else
          quote=$char is_word=1 kept=$text
        fi;;
      \\)
        text+=$next is_word=1
        (( ++i ));;
      [[:space:]])
        [[ -z $is_word ]] || words+=("$text")
        text= is_word= kept=;;
      *)
        [[ $COMP_WORDBREAKS != *"$char"* || $char != [@$] ]] || kept=$text
        text+=$char is_word=1
        [[ $COMP_WORDBREAKS != *"$char"* || $char == [@$] ]] || kept=$text;;
    esac
  done
  words+=("$text")
}

# _confd_client_lines FILE: prints the first megabyte of a file (Ganeti's files
# are shorter). Only regular files are read, as opening a FIFO would block.
_confd_client_lines() {
  [[ ! -f $1 ]] || head -c 1000000 -- "$1" | tr -d '\0'
}

# _confd_client_names KIND: prints the names of all objects of a kind, one per
# line. Uses variables of its caller, and runs in a subshell.
_confd_client_names() {
  local file=$data/ssconf_${1%s}_list field=name line found=()
  # Use the node's files only if the user asks the node's own cluster
  if [[ ${#whom[@]} == 0 && -z ${CONFD_CLUSTER-}${CONFD_ADDRESS-} &&
        ! -e $settings && ! -e $own_settings && -e $file ]]; then
    _confd_client_lines "$file"
    return
  fi
  [[ $1 == disks ]] && field=uuid
  # A line of output is {"name": "web1"}, or after an error another object.
  # confd-client waits 200 ms for an answer; timeout(1) ends it if anything else
  # takes too long
  for line in $(timeout "$patience" "${words[0]/#\~\//$HOME/}" "${whom[@]}" \
      --timeout=0.2 --json-lines --output=$field list "$1" </dev/null); do
    [[ $line == "{\"$field\": \""*\"\} ]] || continue
    # Of JSON's escapes, accept only those of quotes and of characters beyond
    # ASCII, but no surrogates
    [[ $line != *\\* || ( $line != *\\[!\"u]* &&
       $line != *\\u@(00[01]|007f|d[89a-f])* ) ]] && found+=("$line")
  done
  found=("${found[@]#*: \"}")
  found=("${found[@]%\"\}}")
  LC_ALL=C.UTF-8
  printf '%b\n' "${found[@]//\\\"/\\u0022}"
}

# _confd_client_offer PREFIX: adds a prefix to each word of "found", and puts
# the words that begin with the typed text into COMPREPLY. Uses variables of its
# caller.
_confd_client_offer() {
  local word quoted rest=() cur=${words[-1]}
  for word in "${found[@]}"; do
    [[ $1$word == "$cur"* ]] && rest+=("$word")
  done
  (( ${#rest[@]} )) || return
  # Test all words at once, as there may be very many, and few need quoting
  word=$'\n'"${rest[*]}"
  if [[ -z $1 && $word != *[!a-zA-Z0-9._:/$'\n'-]* &&
        ( -n $dashes || $word != *$'\n'-* ) ]]; then
    COMPREPLY=("${rest[@]#"$kept"}")
    return
  fi
  for word in "${rest[@]}"; do
    # Before a "--" a word that begins with a dash would be an option
    [[ $word != -* || -n $dashes ]] || continue
    [[ $word != *[\\\`[:cntrl:]]* && $word != *[![:ascii:][:alnum:]]* ]] ||
      continue
    word=$1$word
    word=${word:${#kept}}
    printf -v quoted %q "$word"
    if [[ -z $word || $word == "$quoted" ]]; then
      COMPREPLY+=("$word")
    elif [[ -z $quote ]]; then
      COMPREPLY+=("$quoted")
    fi
  done
}

_confd_client() {
  local data=@DATA@
  local settings=@SETTINGS@
  local own_settings=${XDG_CONFIG_HOME:-$HOME/.config}/ganeti/confd-client.conf
  local patience=1
@TABLES@
  # Split unquoted expansions into lines, and expand no patterns in them
  local - IFS=$'\n'
  set -f
  local words kept quote i word command= kind= place=0 what= before= dashes=
  local found=() whom=()
  _confd_client_split

  # Find command and arguments before the cursor
  for (( i = 1; i < ${#words[@]} - 1; ++i )); do
    word=${words[i]}
    if [[ $word == -* && -z $dashes ]]; then
      if [[ $word == -- ]]; then
        dashes=yes
      elif [[ $word == --*=* ]]; then
        [[ " $whom_options " == *" ${word%%=*} "* ]] &&
          whom+=("${word%%=*}" "${word#*=}")
      elif [[ -n ${option_values[$word]-} ]]; then
        (( ++i ))
        if (( i == ${#words[@]} - 1 )); then
          what=${option_values[$word]}
        elif [[ " $whom_options " == *" $word "* ]]; then
          whom+=("$word" "${words[i]}")
        fi
      fi
    elif [[ -z $command ]]; then
      command=$word
    else
      (( ++place == 1 )) && kind=$word
    fi
  done
  # Expand a tilde as the shell would expand it
  whom=("${whom[@]/#\~\//$HOME/}")

  COMPREPLY=()
  word=${words[-1]}
  if [[ -n $what ]]; then
    dashes=yes
  elif [[ $command == watch ]]; then
    (( place )) && what=files || what=commands
  elif [[ $word == --*=* && -z $dashes ]]; then
    before=${word%%=*}=
    what=${option_values[${word%%=*}]-nothing}
    dashes=yes
  elif [[ $word == -* && -z $dashes ]]; then
    what=${command_options[${command:-none}]-$every_option}
    dashes=yes
  elif [[ -z $command ]]; then
    what=${!command_options[*]}
  else
    what=${arguments["$command $(( place + 1 ))"]-${arguments["$command *"]-}}
    [[ $what != names ]] || what=names-$kind
  fi
  # The option -o has another meaning for export than for list
  [[ $command == export && $what == fields ]] && what=files
  [[ $what == rights || $what == checks ]] && kind=$what what=fields
  case $what in
    files)
      compopt -o default
      return;;
    commands)
      # Complete files if no command matches
      compopt -o default
      found=($(compgen -c -- "$word"));;
    candidates)
      found=($(_confd_client_lines "$data/ssconf_master_candidates_ips" \
        2>/dev/null));;
    clusters)
      found=($({
        _confd_client_lines "$settings"
        _confd_client_lines "$own_settings"
      } 2>/dev/null | sed -n 's/^\[cluster *\([^]]*\)\].*/\1/p'));;
    nodes|instances)
      found=($(_confd_client_names "$what" 2>/dev/null));;
    names-*)
      what=${what#names-}
      what=${what%s}s
      [[ -z ${fields[$what]-} ]] ||
        found=($(_confd_client_names "$what" 2>/dev/null));;
    anybody)
      # Ask for nodes and instances at the same time
      exec {i}< <(_confd_client_names nodes 2>/dev/null)
      found=($(_confd_client_names instances 2>/dev/null; cat <&"$i"))
      exec {i}<&-;;
    fields)
      what=${fields[${kind:-none}]-}
      # Keep the names before the last comma
      word=${word#"$before"}
      if [[ $word == *,* ]]; then
        before+=${word%,*},
      elif [[ $word == +* ]]; then
        before+=+
      fi
      found=(${what// /$'\n'});;
    nothing)
      ;;
    *)
      found=(${what// /$'\n'});;
  esac
  _confd_client_offer "$before"
}

complete -F _confd_client confd-client
