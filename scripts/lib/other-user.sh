# shellcheck shell=bash
# How root runs something as another user. Source it.

# as_other_user USER GROUPS COMMAND ARG...: replaces the shell that calls it, so it is called in a subshell, or by `attended`. USER is a name or
# a number, GROUPS what setpriv(1) is told of the other groups: --init-groups or --clear-groups. The command gets no terminal of root's: in a
# session of its own it cannot put characters into the terminal's input (TIOCSTI), and without a descriptor of it, it cannot read what root
# types. As the leader of its group it is ended together with what it has started.
as_other_user() {
  local user=$1 groups=$2 entry group
  shift 2
  if entry=$(getent passwd "$user"); then
    IFS=: read -r user _ _ group _ <<<"$entry"
  else
    # A number without a name, as of a folder that comes from another machine.
    [[ $user == +([0-9]) ]] || return 67
    group=$user groups=--clear-groups
  fi
  [[ ! -t 0 ]] || exec </dev/null
  [[ ! -t 1 ]] || exec > >(cat)
  [[ ! -t 2 ]] || exec 2> >(cat >&2)
  exec setsid --wait setpriv --reuid="$user" --regid="$group" "$groups" -- "$@"
}
