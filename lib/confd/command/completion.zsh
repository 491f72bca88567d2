#compdef confd-client
#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

# Completes confd-client in zsh, and offers the same names as the completion for
# bash.
#
# Rule: no text from an answer, a file or the command line is evaluated. zsh
# quotes the words that it inserts.

# _confd_client_lines FILE: prints the first megabyte of a file (Ganeti's files
# are shorter). Only regular files are read, as opening a FIFO would block.
_confd_client_lines() {
  [[ ! -f $1 ]] || head -c 1000000 -- "$1" | tr -d '\0'
}

# _confd_client_names KIND: prints the names of all objects of a kind, each with
# a null byte at its end. Uses variables of its caller.
_confd_client_names() {
  local file=$data/ssconf_${1%s}_list field=name line
  local -a found
  # Use the node's files only if the user asks the node's own cluster
  if [[ $#whom == 0 && -z ${CONFD_CLUSTER-}${CONFD_ADDRESS-} &&
        ! -e $settings && ! -e $own_settings && -e $file ]]; then
    found=("${(@f)$(_confd_client_lines $file)}")
  else
    [[ $1 == disks ]] && field=uuid
    # confd-client waits 200 ms for an answer; timeout(1) ends it if anything
    # else takes too long
    for line in "${(@f)$(timeout $patience "$program" "${whom[@]}" \
        --timeout=0.2 --json-lines --output=$field list $1 </dev/null)}"; do
      # A line of output is {"name": "web1"}, or after an error another object.
      # printf %b knows all of JSON's escapes except \", and cannot combine
      # surrogates
      [[ $line == "{\"$field\": \""*\"\} &&
         $line != *\\u(0000|d[89a-f])* ]] || continue
      line=${${line#*: \"}%\"\}}
      found+=("${line//\\\"/\\u0022}")
    done
    LC_ALL=C.UTF-8
    printf -v line '%b\0' "${found[@]}"
    print -rn -- "$line"
    return
  fi
  printf '%s\0' "${found[@]}"
}

# _confd_client_add WORD...: offers words
_confd_client_add() {
  local -a found=("${(@)@:#}")
  found=("${(@)${(@)found:#*[\\\`[:cntrl:]]*}:#*[^[:ascii:][:alnum:]]*}")
  # Before a "--" a word that begins with a dash would be an option
  [[ -n $dashes ]] || found=("${(@)found:#-*}")
  compadd -a found
}

_confd_client() {
  local data=@DATA@
  local settings=@SETTINGS@
  local own_settings=${XDG_CONFIG_HOME:-$HOME/.config}/ganeti/confd-client.conf
  local patience=1
@TABLES@
@TEXTS@
  local i word option value command= kind= place=0 what= first=0 dashes=
  local program=${${(Q)words[1]}/#\~\//$HOME/}
  local -a whom shown

  # Find command and arguments before the cursor
  for (( i = 2; i < CURRENT; ++i )); do
    word=${(Q)words[i]}
    option=${word%%=*}
    if [[ $word == -- && -z $dashes ]]; then
      dashes=yes
    elif [[ $word == -* && -z $dashes ]]; then
      [[ -n ${option_values[$option]-} ]] || continue
      if [[ $word == *=* ]]; then
        value=${word#*=}
      elif (( ++i == CURRENT )); then
        what=${option_values[$option]}
        break
      else
        value=${(Q)words[i]}
      fi
      [[ " $whom_options " != *" $option "* ]] ||
        whom+=($option "${value/#\~\//$HOME/}")
    elif [[ -z $command ]]; then
      command=$word
      first=$(( i + 1 ))
    else
      (( ++place == 1 )) && kind=$word
    fi
  done

  if [[ -n $what ]]; then
    dashes=yes
  elif [[ $PREFIX == --*=* && -z $dashes ]]; then
    option=${PREFIX%%=*}
    compset -P '*='
    what=${option_values[$option]-nothing}
    dashes=yes
  elif [[ $command == watch ]]; then
    shift $(( first - 1 )) words
    (( CURRENT -= first - 1 ))
    _normal
    return
  elif [[ $PREFIX == -* && -z $dashes ]]; then
    for option in ${=command_options[${command:-none}]-$every_option}; do
      shown+=("$option:${option_texts[$option]}")
    done
    _describe -o option shown
    return
  elif [[ -z $command ]]; then
    for word in ${(ko)command_texts}; do
      shown+=("$word:${command_texts[$word]}")
    done
    _describe command shown
    return
  else
    what=${arguments[$command $(( place + 1 ))]-${arguments[$command *]-}}
    [[ $what != names ]] || what=names-$kind
  fi
  # The option -o has another meaning for export than for list
  [[ $command == export && $what == fields ]] && what=files
  case $what in
    files)
      _files;;
    commands)
      _command_names -e;;
    candidates)
      _confd_client_add \
        "${(@f)$(_confd_client_lines $data/ssconf_master_candidates_ips)}" \
        2>/dev/null;;
    clusters)
      _confd_client_add "${(@f)$({
        _confd_client_lines $settings
        _confd_client_lines $own_settings
      } 2>/dev/null | sed -n 's/^\[cluster *\([^]]*\)\].*/\1/p')}";;
    nodes|instances)
      _confd_client_add "${(@0)$(_confd_client_names $what 2>/dev/null)}";;
    names-*)
      what=${${what#names-}%s}s
      [[ -z ${fields[$what]-} ]] ||
        _confd_client_add "${(@0)$(_confd_client_names $what 2>/dev/null)}";;
    anybody)
      # Ask for nodes and instances at the same time
      exec {i}< <(_confd_client_names nodes 2>/dev/null)
      shown=("${(@0)$(_confd_client_names instances 2>/dev/null)}")
      _confd_client_add "${shown[@]}" "${(@0)$(cat <&$i)}"
      exec {i}<&-;;
    fields|rights|checks)
      [[ $what == fields ]] || kind=$what
      # Keep the names before the last comma
      compset -P '*,' || compset -P '+'
      shown=(${=fields[${kind:-none}]-})
      compadd -S '' -a shown;;
    nothing|'')
      ;;
    *)
      shown=(${=what})
      compadd -a shown;;
  esac
}

_confd_client "$@"
