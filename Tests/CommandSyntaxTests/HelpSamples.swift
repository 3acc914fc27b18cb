/// The whole of `holdfast --help` for the sample.
let overviewText = """
  holdfast: no migration without a proven way back

  usage: holdfast COMMAND [options]

  backups:
    restore                restore a backup into a new database
    remove                 remove backups
    export                 write plain SQL

  migrations:
    deploy                 apply pending migrations

  schedule:
    schedule run           run what is due, for ever
    schedule next          show upcoming times

  global options:
    -p, --policies DIR     Where the policies are. (default: policies;
                           environment: HF_POLICIES)
        --json             Print one JSON document.
    -q, --quiet            Say nothing but errors.
        --log-level LEVEL  How much to log. (one of: error, warning, info, debug;
                           environment: HF_LOG_LEVEL)
        --no-color         Print no colours. (environment: NO_COLOR)
    -h, --help             Show this help and exit.
        --version          Show the version and exit.

  holdfast COMMAND --help says more about a command.

  """

/// The whole of `holdfast restore --help` for the sample.
let restoreHelp = """
  holdfast restore: restore a backup into a new database

  usage: holdfast restore ID --into NAME [options]
         holdfast restore ID --swap [options]

  The live database is never written to.

  An existing database is refused.

  arguments:
    ID                     A backup's id, a unique beginning of it, or latest.

  options:
    -i, --into NAME        The database to make; it must not exist.
    -s, --swap             Restore beside the live database, verify, swap.
        --verify LEVEL     How the restored database is compared with the backup
                           before anybody is told that it is good. (one of: none,
                           rows, digest; default: digest)
    -t, --table S.T        Only this table. (may be repeated)
        --a-very-long-option-name WITH-VALUE
                           Stands on a line of its own.

  global options:
    -p, --policies DIR     Where the policies are. (default: policies;
                           environment: HF_POLICIES)
        --json             Print one JSON document.
    -q, --quiet            Say nothing but errors.
        --log-level LEVEL  How much to log. (one of: error, warning, info, debug;
                           environment: HF_LOG_LEVEL)
        --no-color         Print no colours. (environment: NO_COLOR)
    -h, --help             Show this help and exit.
        --version          Show the version and exit.

  examples:
    # look at last night's data
    holdfast restore latest --into app_check

    # go back to a backup
    holdfast restore 3f9a --swap --json | jq '.backup | .id'

  """

/// How `holdfast schedule --help` begins for the sample.
let scheduleHelp = """
  usage: holdfast schedule run|next [options]

  commands:
    schedule run           run what is due, for ever
    schedule next          show upcoming times


  """
