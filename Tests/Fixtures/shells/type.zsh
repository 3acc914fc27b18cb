# Types into an interactive shell on a terminal of its own, and prints what the terminal shows, a record for each line:
#
#   zsh -f type.zsh SHELL START END KEYS...   START is sourced first; END is typed after the keys: ^U or a line's end
#
# The text after the keys has a shell do nothing but say that it has read them: nothing here waits for a time.
zmodload zsh/zpty
shell=$1 start=$2 after=$3
shift 3
export TERM=dumb
case $shell in
  bash) command='exec bash --norc --noprofile -i' ;;
  zsh) command='exec zsh -f -i' ;;
esac
# What comes before the line editor is ready, the terminal itself must not take for an order.
zpty shell "stty -echo kill undef cols 200 rows 200; $command"
zpty -w shell ". ${(q)start}; echo READY-\$((1))"
zpty -r shell shown '*READY-1*'
integer count=1
for keys in "$@"; do
  count+=1
  zpty -w -n shell $keys${(g:c:)after}$'echo READY-$(('$count$'))\n'
  zpty -r shell shown "*READY-$count*"
  print -rn -- ${shown//$'\r'/}$'\x1e'
done
zpty -d shell
