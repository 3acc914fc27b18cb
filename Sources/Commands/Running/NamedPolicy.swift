/// Puts the policy's name into the commands that a text tells to type, where there are several policies: without it they would be refused.
struct NamedPolicy {
  let name: String

  func naming(_ text: String) -> String {
    text.replacing(
      #/holdfast (abandon|backup|baseline|check|deploy|migrations|prune|resume|rollback|snapshot|status|undo)\b/#
    ) { match in
      let next = text[match.range.upperBound...].prefix { !",;:)\n".contains($0) }.split(separator: " ").first ?? ""
      let isNamed = next == name || next == "\(name)."
      return isNamed ? match.0 : "\(match.0) \(name)"
    }.replacing(
      #/holdfast (resolve \S+ --(applied|rolled-back)|(restore|show|verify|export|hold|release|remove) latest)(?! --policy)/#
    ) {
      match in
      "\(match.0) --policy \(name)"
    }
  }
}
