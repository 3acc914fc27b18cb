extension CommandTable {
  /// Completions for fish 3.4 and newer.
  var fishCompletion: String {
    """
    # Completions of \(program) for fish, as `\(program) completions fish` prints them.
    # What is typed, what lies on the disk and what a command prints is never evaluated.

    \(fishTakesValue)

    \(fishNames)

    \(fishFunctions.replacing("§", with: "__\(functionName)"))
    complete -c \(program) -f
    \((fishNextWords + fishGlobalOptions + fishCommands).joined(separator: "\n"))

    """
  }

  // MARK: What the functions look up

  /// Whether an option of a command takes a value.
  private var fishTakesValue: String {
    let own = commands.flatMap { command in
      command.options.map { option in (option, option.spellings.map { fishQuoted("\(command.name) \($0)") }) }
    }
    let everywhere = allGlobalOptions.map { option in (option, option.spellings.map { fishQuoted("* \($0)") }) }
    let cases = (own + everywhere).map { option, patterns in
      "    case \(patterns.joined(separator: " "))\n      return \(option.isFlag ? 1 : 0)"
    }
    return """
      # Whether "command --option" takes a value.
      function __\(functionName)_takes_value
        switch $argv[1]
      \(cases.joined(separator: "\n"))
        end
        return 1
      end
      """
  }

  /// Which words begin a command's name, and which are all of one.
  private var fishNames: String {
    """
    # Whether these words are a command's whole name.
    function __\(functionName)_is_name
      not contains -- "$argv" '' \(words(groups))
    end
    """
  }

  // MARK: What is offered

  private var fishNextWords: [String] {
    ([""] + groups).flatMap { word in
      nextWords(after: word).map { next in
        fishLine("next \(fishQuoted(word))", "-a \(fishQuoted(next.word))", next.summary)
      }
    }
  }

  private var fishGlobalOptions: [String] {
    allGlobalOptions.map { fishOption($0, "anywhere") }
  }

  private var fishCommands: [String] {
    commands.flatMap { command in
      let name = fishQuoted(command.name)
      let operands = command.operands.enumerated().compactMap { index, operand in
        fishOffer(operand.offers, operand.allowedValues).map { offer in
          let place = "operand \(name) \(index)\(operand.isRepeatable ? " more" : "")"
          let before = command.takesTrailingCommand ? "; and not __\(functionName)_trailing \(name)" : ""
          return fishLine(place + before, offer, operand.name)
        }
      }
      let trailing = command.takesTrailingCommand ? ["trailing \(name)"] : []
      return command.options.map { fishOption($0, "of \(name)") } + operands
        + trailing.map { fishLine($0, "-a '(__\(functionName)_subcommand)'", nil) }
    }
  }

  private func fishOption(_ option: Option, _ condition: String) -> String {
    let short = option.short.map { " -s \($0)" } ?? ""
    // -x is -r, a value, and -f, no files.
    let takes = option.isFlag ? "" : option.offers == .files ? " -r" : " -x"
    let value = takes + (option.isFlag ? "" : fishOffer(option.offers, option.allowedValues).map { " \($0)" } ?? "")
    return fishLine(condition, "-l \(option.name)\(short)\(value)", option.help)
  }

  private func fishLine(_ condition: String, _ rest: String, _ help: String?) -> String {
    let test = "__\(functionName)_\(condition)"
    let description = help.map { " -d \(fishQuoted($0))" } ?? ""
    return "complete -c \(program) -n \(fishQuoted(test)) \(rest)\(description)"
  }

  /// - Returns: nil where there is nothing to offer.
  private func fishOffer(_ offer: Offer, _ allowed: [String]) -> String? {
    let prefix = "__\(functionName)"
    // What stands in -a is evaluated when it is needed: words in it are quoted twice.
    guard allowed.isEmpty else { return "-a \(fishQuoted("(printf '%s\\n' \(words(allowed)))"))" }
    switch offer {
    case .nothing: return nil
    case .files: return "-F"
    case .folders: return "-a '(__fish_complete_directories (commandline -ct) \"\")'"
    case .stems(let option, let endings):
      return "-a \(fishQuoted("(\(prefix)_stems (\(prefix)_folder \(folder(option))) \(words(endings)))"))"
    case .printed(let command, let operands, let key, let option, let after):
      let folder = "(\(prefix)_folder \(folder(option)))"
      return
        "-k -a \(fishQuoted("(\(prefix)_printed \(folder) \(words([line(command, operands), key, option] + after)))"))"
    }
  }

  private func folder(_ name: String) -> String {
    let option = globalOptions.first { $0.name == name }
    return words([option?.environment ?? "", option?.defaultValue ?? "."] + (option?.spellings ?? []))
  }

  private func words(_ texts: [String]) -> String { texts.map(fishQuoted).joined(separator: " ") }

  /// In single quotes fish knows two escapes: of the quote and of the backslash.
  private func fishQuoted(_ text: String) -> String {
    shellQuoted(text.replacing("\\", with: "\\\\"), quote: "\\'")
  }

  // MARK: The same for every table

  private var fishFunctions: String {
    #"""
    # The words before the cursor that are neither options nor their values, one a line: those of the command's name
    # joined, then the operands; "help " before the name when help is asked for. Ends at the -- of a command line.
    function §_words
      set -l tokens (commandline -opc)
      set -e tokens[1]
      set -l name
      set -l operands
      set -l helping
      set -l skip
      set -l dashes
      for token in $tokens
        set -l token (string replace -a \n ' ' -- $token)
        if set -q skip[1]
          set skip
        else if not set -q dashes[1]; and test "$token" = --
          set dashes yes
        else if not set -q dashes[1]; and string match -qr -- '^--' $token
          not string match -qr -- = $token; and §_takes_value "$name $token"; and set skip yes
        else if not set -q dashes[1]; and string match -qr -- '^-.' $token
          set -l letters (string split '' -- (string sub -s 2 -- $token))
          while set -q letters[1]; and not §_takes_value "$name -$letters[1]"
            set -e letters[1]
          end
          test (count $letters) -eq 1; and set skip yes
        else if §_is_name $name
          set -a operands $token
        else if test "$token" = help; and not set -q name[1]
          set helping 'help '
        else
          set -a name $token
        end
      end
      printf '%s\n' "$helping$name" $operands
      set -q dashes[1]
    end

    # Whether a command's name may go on after these words.
    function §_next
      set -l typed (§_words)
      test (count $typed) -eq 1; and contains -- $typed[1] $argv[1] "help $argv[1]"
    end

    # Whether this command's name stands before the cursor.
    function §_of
      test (§_words)[1] = $argv[1]
    end

    # Whether options that every command takes may stand here.
    function §_anywhere
      true
    end

    # Whether the word at the cursor is this operand of the command: its number, "more" when it takes all that follow.
    function §_operand
      set -l typed (§_words)
      set -l count (math (count $typed) - 1)
      test "$typed[1]" = $argv[1]; or return 1
      test $count -eq $argv[2]; or test "$argv[3]" = more -a $count -gt $argv[2]
    end

    # Whether the cursor stands after the -- that begins a command line of its own.
    function §_trailing
      set -l typed (§_words)
      test $status -eq 0 -a "$typed[1]" = $argv[1]
    end

    # Completions of the command line after --.
    function §_subcommand
      set -l tokens (commandline -opc)
      set -l at (contains -i -- -- $tokens)
      complete -C (string join ' ' -- (string escape -- $tokens[(math $at + 1)..]) (commandline -ct))
    end

    # The folder that an option names: by the line, the environment ($argv[1]), the default ($argv[2]). Its spellings
    # follow.
    function §_folder
      set -l folder $argv[2]
      test -n "$argv[1]"; and set -q $argv[1]; and test -n "$$argv[1]"; and set folder $$argv[1]
      set -l tokens (commandline -opc)
      for at in (seq 2 (count $tokens))
        for spelling in $argv[3..]
          test "$tokens[$at]" = $spelling; and set -q tokens[(math $at + 1)]; and set folder $tokens[(math $at + 1)]
          string match -q -- "$spelling=*" $tokens[$at]; and set folder (string replace -- "$spelling=" '' $tokens[$at])
        end
      end
      string replace -r -- '^~(?=/)' "$HOME" $folder
    end

    # Files of a folder by their endings, without them.
    function §_stems
      for ending in $argv[2..]
        for file in $argv[1]/*$ending
          test -f "$file"; or continue
          string replace -r '.*/' '' -- $file | string sub -e -(string length -- $ending) |
            string match -r '^[A-Za-z0-9][A-Za-z0-9._-]*$'
        end
      end
    end

    # What a command prints under a key, given the folder by an option; words that are always offered come first.
    function §_printed
      set -l folder $argv[1]
      set -l key $argv[3]
      set -q argv[5]; and printf '%s\n' $argv[5..]
      command timeout 2 %PROGRAM% (string split ' ' -- $argv[2]) --json --$argv[4]=$folder </dev/null 2>/dev/null |
        string match -ra "\"$key\":(?:\"[A-Za-z0-9._-]+\"|\[[^\]]*\])" |
        string replace -r '^"[^"]*":' '' |
        string match -ra '(?<=")[A-Za-z0-9][A-Za-z0-9._-]*(?=")'
    end

    """#.replacing("%PROGRAM%", with: program)
  }
}
