extension CommandTable {
  /// Completions for bash 4.4 and newer; they need nothing of the package bash-completion.
  var bashCompletion: String {
    """
    # Completions of \(program) for bash, as `\(program) completions bash` prints them.
    # What is typed, what lies on the disk and what a command prints is compared as text; none of it is evaluated.

    \(bashNext)

    \(bashOptions)

    \(bashOffers)

    \(bashOperands)

    \(bashFunctions.replacing("§", with: "_\(functionName)"))
    complete -F _\(functionName) \(program)

    """
  }

  /// Which words may follow those of a command's name.
  private var bashNext: String {
    let cases = ([""] + groups).map { word in
      "    \(shellQuoted(word))) next=(\(words(nextWords(after: word).map(\.word)))) ;;"
    }
    return function("next", "next=()", "$1", cases)
  }

  /// Which options a command takes, with those that all take.
  private var bashOptions: String {
    let cases = commands.filter { !$0.options.isEmpty }.map { command in
      "    \(shellQuoted(command.name))) options=(\(words(command.options.flatMap(\.spellings)))) ;;"
    }
    let everywhere = words(allGlobalOptions.flatMap(\.spellings))
    return function("options", "options=()", "$1", cases, end: "options+=(\(everywhere))")
  }

  /// What is offered for an option's value, by command and spelling; nothing for a flag.
  private var bashOffers: String {
    func line(_ option: Option, _ pattern: (String) -> String) -> String {
      let patterns = option.spellings.map(pattern).joined(separator: " | ")
      let offer = option.isFlag ? "" : " offer=(\(bashOffer(option.offers, option.allowedValues)))"
      return "    \(patterns)) name=\(shellQuoted(option.name))\(offer) ;;"
    }
    let own = commands.flatMap { command in
      command.options.map { option in line(option) { shellQuoted("\(command.name) \($0)") } }
    }
    let everywhere = allGlobalOptions.map { option in line(option) { "*\(shellQuoted(" \($0)"))" } }
    return function("option", "name='' offer=()", "$1", own + everywhere)
  }

  /// What is offered for an operand, by command and place; and which commands take a command line after `--`.
  private var bashOperands: String {
    let cases = commands.flatMap { command in
      let trailing =
        command.takesTrailingCommand ? ["    \(shellQuoted("\(command.name) --"))) offer=(command) ;;"] : []
      return trailing
        + command.operands.enumerated().map { index, operand in
          let place =
            operand.isRepeatable ? "\(shellQuoted("\(command.name) "))*" : shellQuoted("\(command.name) \(index)")
          return "    \(place)) offer=(\(bashOffer(operand.offers, operand.allowedValues))) ;;"
        }
    }
    return function("operand", "offer=()", "$1", cases)
  }

  private func function(
    _ name: String, _ first: String, _ subject: String, _ cases: [String], end: String? = nil
  ) -> String {
    let lines = ["_\(functionName)_\(name)() {", "  \(first)", "  case \(subject) in"] + cases + ["  esac"]
    return (lines + (end.map { ["  \($0)"] } ?? []) + ["}"]).joined(separator: "\n")
  }

  private func bashOffer(_ offer: Offer, _ allowed: [String]) -> String {
    guard allowed.isEmpty else { return "words \(words(allowed))" }
    switch offer {
    case .nothing: return "nothing"
    case .files: return "files"
    case .folders: return "folders"
    case .stems(let option, let endings): return "stems \(folder(option)) \(words(endings))"
    case .printed(let command, let operands, let key, let option, let after):
      return "printed \(folder(option)) \(words([line(command, operands), key] + after))"
    }
  }

  /// Where a folder's name comes from: the option, its variable, its default.
  private func folder(_ name: String) -> String {
    let option = globalOptions.first { $0.name == name }
    return words([name, option?.environment ?? "", option?.defaultValue ?? "."])
  }

  private func words(_ texts: [String]) -> String { texts.map { shellQuoted($0) }.joined(separator: " ") }

  /// The same for every table; `§` stands for the prefix of the functions' names.
  private var bashFunctions: String {
    #"""
    # Puts the words up to the cursor into `typed`, and into `starts` where each begins in COMP_WORDS. readline cuts at
    # = and : too and leaves alone what stands before the last cut: that goes into `kept`.
    §_split() {
      local rest=${COMP_LINE:0:COMP_POINT} bare piece i
      for ((i = 0; i <= COMP_CWORD; i++)); do
        bare=${rest#"${rest%%[![:space:]]*}"}
        piece=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then piece=$bare; fi
        if ((i == 0)) || [[ -z $piece || $bare != "$rest" ]]; then
          typed+=("$piece") starts+=("$i") kept=''
        else
          kept=${typed[-1]}
          typed[-1]+=$piece
        fi
        rest=${bare#"$piece"}
      done
      if [[ -n $piece && -z ${piece//[=:]/} ]]; then kept=${typed[-1]}; fi
    }

    # Puts a word into `plain` as a command would get it, but for variables: they stay as they are typed.
    §_plain() {
      local raw=$1 quote='' character i
      plain=''
      for ((i = 0; i < ${#raw}; i++)); do
        character=${raw:i:1}
        if [[ -z $quote && $character == [\'\"] ]]; then
          quote=$character
        elif [[ -n $quote && $character == "$quote" ]]; then
          quote=''
        elif [[ $character == \\ && $quote != \' ]]; then
          i=$((i + 1))
          plain+=${raw:i:1}
        else
          plain+=$character
        fi
      done
    }

    # Reads the words before the last: which command, how many operands, which values.
    §_read() {
      local word plain i skip='' letters
      local -a next=()
      for ((i = 1; i < ${#typed[@]} - 1; i++)); do
        word=${typed[i]}
        §_plain "$word"
        if [[ -n $skip ]]; then
          given[$skip]=$plain skip=''
        elif [[ -z $dashes && $word == -- ]]; then
          dashes=$i
        elif [[ -z $dashes && $word == --*=* ]]; then
          §_option "$command ${plain%%=*}"
          if [[ -n $name ]]; then given[$name]=${plain#*=}; fi
        elif [[ -z $dashes && $word == --* ]]; then
          §_option "$command $plain"
          if [[ ${#offer[@]} -gt 0 ]]; then skip=$name; fi
        elif [[ -z $dashes && $word == -?* ]]; then
          §_letters "${plain#-}"
          if [[ -n $name && -n $letters ]]; then given[$name]=${letters#=}; fi
          if [[ -n $name && -z $letters ]]; then skip=$name; fi
        else
          §_next "$command"
          if [[ ${#next[@]} -eq 0 ]]; then
            operands=$((operands + 1))
          elif [[ $plain == help && -z $command ]]; then
            helping=yes
          else
            command=${command:+$command }$plain
          fi
        fi
      done
      waiting=$skip
    }

    # Reads short options in one word up to the first that takes a value: its name and offer, the rest in `letters`.
    §_letters() {
      letters=$1
      while [[ -n $letters ]]; do
        §_option "$command -${letters:0:1}"
        letters=${letters:1}
        if [[ ${#offer[@]} -gt 0 ]]; then return; fi
      done
      name='' offer=()
    }

    # The folder that an option names, by the line, the environment or the default.
    §_folder() {
      folder=${given[$1]:-}
      if [[ -z $folder && -n $2 ]]; then folder=${!2:-}; fi
      folder=${folder:-$3}
      if [[ $folder == '~/'* ]]; then folder=$HOME/${folder:2}; fi
    }

    # Puts into COMPREPLY what begins with $1, each with $2 before it; what is offered follows.
    §_offer() {
      local value=$1 before=$2 kind=$3 folder one ending safe='^[A-Za-z0-9][A-Za-z0-9._-]*$'
      local -a found=()
      shift 3
      case $kind in
        words) found=("$@") ;;
        files | folders)
          compopt -o filenames 2>/dev/null
          if [[ $kind == files ]]; then one=-f; else one=-d; fi
          mapfile -t found < <(compgen "$one" -- "$value") ;;
        stems)
          §_folder "$1" "$2" "$3"
          # Of the folder's name no character is a pattern's.
          folder=${folder//\\/\\\\}
          folder=${folder//\*/\\*}
          folder=${folder//\?/\\?}
          folder=${folder//\[/\\[}
          for ending in "${@:4}"; do
            while IFS= read -r one; do
              if [[ ! -f $one ]]; then continue; fi
              one=${one##*/}
              one=${one%"$ending"}
              if [[ $one =~ $safe ]]; then found+=("$one"); fi
            done < <(compgen -G "$folder/*$ending")
          done ;;
        printed)
          §_folder "$1" "$2" "$3"
          compopt -o nosort 2>/dev/null
          found=("${@:6}")
          while IFS= read -r one; do
            if [[ $one =~ $safe ]]; then found+=("$one"); fi
          done < <(command timeout 2 %PROGRAM% $4 --json "--$1=$folder" </dev/null 2>/dev/null |
            command grep -oE "\"$5\":(\"[A-Za-z0-9._-]+\"|\[[^]]*\])" | command sed 's/^"[^"]*"://' |
            command grep -oE '"[A-Za-z0-9._-]+"' | command tr -d '"') ;;
      esac
      for one in "${found[@]}"; do
        if [[ $kind != f* && $one != "$value"* ]]; then continue; fi
        if [[ $kind == words ]]; then printf -v one '%q' "$one"; fi
        COMPREPLY+=("$before$one")
      done
    }

    # A command line of its own, after --.
    §_command() {
      local first=${starts[dashes + 1]:-}
      if declare -F _command_offset >/dev/null; then
        _command_offset "$first"
      elif ((dashes + 2 == ${#typed[@]})); then
        mapfile -t COMPREPLY < <(compgen -c -- "$plain")
      else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$plain")
      fi
    }

    §() {
      local kept='' plain='' command='' helping='' dashes='' waiting='' operands=0 name='' letters='' i
      local -a typed=() starts=() next=() options=() offer=()
      local -A given=()
      COMPREPLY=()
      §_split
      §_read
      §_plain "${typed[-1]}"
      local last=$plain
      §_next "$command"
      if [[ -n $dashes ]]; then §_operand "$command --"; fi
      if [[ ${offer[0]:-} == command ]]; then
        §_command
        return
      elif [[ ${#typed[@]} -gt 2 && ${typed[-2]} =~ ^[0-9]*[\<\>]+$ ]]; then
        §_offer "$last" '' files
      elif [[ ${typed[-1]} =~ ^([0-9]*[\<\>]+)(.*)$ ]]; then
        §_offer "${last#"${BASH_REMATCH[1]}"}" "${BASH_REMATCH[1]}" files
      elif [[ -n $waiting ]]; then
        §_option "$command --$waiting"
        §_offer "$last" '' "${offer[@]}"
      elif [[ -z $dashes && $last == --*=* ]]; then
        §_option "$command ${last%%=*}"
        §_offer "${last#*=}" "${last%%=*}=" "${offer[@]:-nothing}"
      elif [[ -z $dashes && $last == -* ]]; then
        if [[ $last == -[!-]* ]]; then §_letters "${last#-}"; fi
        if [[ -n $letters ]]; then
          §_offer "${letters#=}" "${last%"${letters#=}"}" "${offer[@]}"
        else
          §_options "$command"
          §_offer "$last" '' words "${options[@]}"
        fi
      elif [[ ${#next[@]} -gt 0 ]]; then
        §_offer "$last" '' words "${next[@]}"
      elif [[ -z $helping ]]; then
        §_operand "$command $operands"
        §_offer "$last" '' "${offer[@]:-nothing}"
      fi
      §_plain "$kept"
      if [[ -z $plain ]]; then return; fi
      for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$plain"}; done
      # Behind a cut in the midst of a name readline takes the rest for a file that there is not, and leaves $ unquoted.
      if [[ ${offer[0]:-} == f* && -n ${COMPREPLY[*]} && ! -e ${COMPREPLY[0]} ]]; then
        compopt +o filenames 2>/dev/null
        for i in "${!COMPREPLY[@]}"; do printf -v COMPREPLY[i] '%q' "${COMPREPLY[i]}"; done
      fi
    }
    """#.replacing("%PROGRAM%", with: program)
  }
}
