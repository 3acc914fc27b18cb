extension CommandTable {
  /// Completions for zsh, as a file of the function path or to be sourced after `compinit`.
  var zshCompletion: String {
    let functions = commands.map(zshFunction) + groups.map(zshGroup) + [zshOffers, zshHelpers, zshHelp, zshStart]
    let name = "_\(functionName)"
    return """
      #compdef \(program)
      # Completions of \(program) for zsh, as `\(program) completions zsh` prints them.
      # What is typed, what lies on the disk and what a command prints is never evaluated.

      \(functions.joined(separator: "\n\n"))

      # As a file of the function path this runs when it is first needed; sourced, it only registers.
      if [[ $funcstack[1] == \(name) ]]; then
        \(name) "$@"
      else
        compdef \(name) \(program)
      fi

      """
  }

  // MARK: Commands

  private func zshFunction(_ command: Command) -> String {
    let specs = (command.options + allGlobalOptions).flatMap { zshSpecs(of: $0, command) } + zshOperands(of: command)
    let trailing = command.takesTrailingCommand ? ["  _\(functionName)_after_dashes && return"] : []
    let lines = ["\(zshName(command.name))() {"] + trailing + ["  _arguments -s -S : \\"]
    return (lines + [specs.map { "    \($0)" }.joined(separator: " \\\n"), "}"]).joined(separator: "\n")
  }

  private func zshGroup(_ word: String) -> String {
    """
    \(zshName(word))() {
    \(zshDispatch(after: word))
    }
    """
  }

  /// Offers the next word of a command's name, or goes on with the command that it is.
  private func zshDispatch(after word: String) -> String {
    let cases = nextWords(after: word).filter { !word.isEmpty || $0.word != "help" }.map { next in
      "        \(next.word)) \(zshName(word.isEmpty ? next.word : "\(word) \(next.word)")) && ret=0 ;;"
    }
    let help = word.isEmpty ? ["        help) _\(functionName)_help && ret=0 ;;"] : []
    let specs = allGlobalOptions.flatMap { zshSpecs(of: $0, nil) }.map { "    \($0)" }
    return """
        local curcontext=$curcontext state state_descr line ret=1
        typeset -A opt_args
        local -a choices=(\(zshChoices(after: word)))
        _arguments -s -S -C : \\
      \(specs.joined(separator: " \\\n")) \\
          '(-): :->word' '(-)*:: :->rest' && ret=0
        case $state in
          word) _describe -t commands command choices && ret=0 ;;
          rest)
            curcontext=${curcontext%:*:*}:\(program)-$words[1]:
            case $words[1] in
      \((cases + help).joined(separator: "\n"))
            esac ;;
        esac
        return ret
      """
  }

  private func zshName(_ command: String) -> String {
    "_\(functionName)__\(command.replacing(" ", with: "__"))"
  }

  // MARK: Options and operands

  private func zshSpecs(of option: Option, _ command: Command?) -> [String] {
    let spellings = option.spellings
    let others = option.isRepeatable ? "*" : "(\(spellings.joined(separator: " ")))"
    return spellings.map { spelling in
      let joined = option.isFlag ? "" : spelling.hasPrefix("--") ? "=" : "+"
      let text = "\(others)\(spelling)\(joined)[\(zshEscaped(option.help, "[]\\"))]"
      guard let valueName = option.valueName else { return shellQuoted(text) }
      let action = zshAction(option.offers, option.allowedValues, [command?.name, option.name])
      return shellQuoted("\(text):\(zshEscaped(valueName, ":\\")):\(action)")
    }
  }

  private func zshOperands(of command: Command) -> [String] {
    command.operands.enumerated().map { index, operand in
      let place = operand.isRepeatable ? "*" : operand.isRequired ? "\(index + 1)" : "\(index + 1):"
      let action = zshAction(operand.offers, operand.allowedValues, [command.name, "operand", "\(index)"])
      return shellQuoted("\(place):\(zshEscaped(operand.name, ":\\")):\(action)")
    }
  }

  /// Actions are evaluated by `_arguments`: only names of functions go into them, never a text of the table.
  private func zshAction(_ offer: Offer, _ allowed: [String], _ owner: [String?]) -> String {
    if allowed.isEmpty {
      if offer == .nothing { return " " }
      if offer == .files { return "_files" }
      if offer == .folders { return "_files -/" }
    }
    return zshOfferName(owner)
  }

  private func zshOfferName(_ owner: [String?]) -> String {
    let words = owner.compactMap(\.self).map { $0.replacing(" ", with: "__") }
    return "_\(functionName)_offer__\(words.joined(separator: "__"))"
  }

  /// A function for everything that is offered and is no file.
  private var zshOffers: String {
    let everywhere = allGlobalOptions.map { ([String?]([$0.name]), $0.offers, $0.allowedValues) }
    let own = commands.flatMap { command in
      command.options.map { ([String?]([command.name, $0.name]), $0.offers, $0.allowedValues) }
        + command.operands.enumerated().map {
          ([String?]([command.name, "operand", "\($0.offset)"]), $0.element.offers, $0.element.allowedValues)
        }
    }
    return (everywhere + own).compactMap { owner, offer, allowed in
      zshBody(offer, allowed).map { "\(zshOfferName(owner))() { \($0) }" }
    }.joined(separator: "\n")
  }

  private func zshBody(_ offer: Offer, _ allowed: [String]) -> String? {
    let prefix = "_\(functionName)"
    guard allowed.isEmpty else { return "local -a choices=(\(zshWords(allowed))); compadd \"$@\" -a choices" }
    switch offer {
    case .nothing, .files, .folders: return nil
    case .stems(let option, let endings):
      return "local folder; \(prefix)_folder \(zshFolder(option)); \(prefix)_stems \(zshWords(endings)) -- \"$@\""
    case .printed(let command, let operands, let key, let option, let after):
      let words = zshWords([line(command, operands), key, option] + after)
      return "local folder; \(prefix)_folder \(zshFolder(option)); \(prefix)_printed \(words) -- \"$@\""
    }
  }

  private func zshFolder(_ name: String) -> String {
    let option = globalOptions.first { $0.name == name }
    let spellings = option?.spellings ?? []
    return zshWords([option?.environment ?? "", option?.defaultValue ?? "."] + spellings)
  }

  private func zshWords(_ texts: [String]) -> String { texts.map { shellQuoted($0) }.joined(separator: " ") }

  private func zshEscaped(_ text: String, _ special: String) -> String {
    text.map { special.contains($0) ? "\\\($0)" : String($0) }.joined()
  }

  // MARK: The same for every table

  private var zshHelpers: String {
    #"""
    # The folder that an option names: by the line, the environment ($1), the default ($2). Its spellings follow.
    §_folder() {
      local variable=$1 word
      integer at
      folder=$2
      if [[ -n $variable && -n ${(P)variable} ]]; then folder=${(P)variable}; fi
      shift 2
      for ((at = 2; at < $#line_so_far; at++)); do
        for word in "$@"; do
          if [[ $line_so_far[at] == "$word" ]]; then folder=${(Q)line_so_far[at + 1]}; fi
          if [[ $line_so_far[at] == "$word"=* ]]; then folder=${(Q)line_so_far[at]#*=}; fi
        done
      done
      if [[ $folder == '~/'* ]]; then folder=$HOME/${folder#'~/'}; fi
    }

    # Files of the folder by their endings, without them.
    §_stems() {
      local ending
      local -a stems=() found
      while [[ $1 != -- ]]; do
        ending=$1
        found=("$folder"/*"$ending"(N-.:t))
        stems+=("${(@)found%$ending}")
        shift
      done
      stems=("${(@M)stems:#[A-Za-z0-9][A-Za-z0-9._-]#}")
      compadd "${@[2,-1]}" -a stems
    }

    # What a command prints under a key, given the folder by an option; words that are always offered come first.
    §_printed() {
      local program=$1 key=$2 option=$3
      local -a found=()
      shift 3
      while [[ $1 != -- ]]; do
        found+=("$1")
        shift
      done
      found+=("${(@f)$(command timeout 2 %PROGRAM% ${=program} --json --$option=$folder </dev/null 2>/dev/null |
        command grep -oE "\"$key\":(\"[A-Za-z0-9._-]+\"|\[[^]]*\])" | command sed 's/^"[^"]*"://' |
        command grep -oE '"[A-Za-z0-9][A-Za-z0-9._-]*"' | command tr -d '"')}")
      found=("${(@)found:#}")
      compadd "${@[2,-1]}" -o nosort -a found
    }

    # A command line of its own, after --.
    §_after_dashes() {
      integer at=${words[(ie)--]}
      ((at < CURRENT)) || return 1
      shift $at words
      ((CURRENT -= at))
      _normal
    }
    """#.replacing("§", with: "_\(functionName)").replacing("%PROGRAM%", with: program)
  }

  private var zshHelp: String {
    let groupCases = groups.map { "    3:\($0)) choices=(\(zshChoices(after: $0))) ;;" }
    let cases = ["    2:*) choices=(\(zshChoices(after: ""))) ;;"] + groupCases + ["    *) return 1 ;;"]
    return """
      _\(functionName)_help() {
        local -a choices
        case $CURRENT:$words[2] in
      \(cases.joined(separator: "\n"))
        esac
        _describe -t commands command choices
      }
      """
  }

  private func zshChoices(after word: String) -> String {
    zshWords(nextWords(after: word).map { "\($0.word):\($0.summary)" })
  }

  /// The line as it was typed is kept: `_arguments` takes away what a command further down has to look for.
  private var zshStart: String {
    """
    _\(functionName)() {
      local -a line_so_far=("${(@)words[1,CURRENT]}")
    \(zshDispatch(after: ""))
    }
    """
  }
}
