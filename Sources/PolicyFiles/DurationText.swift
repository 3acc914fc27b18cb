/// Reads `500ms`, `30s`, `5m`, `48h`, `7d`, `2w`, or a plain `0`.
///
/// - Returns: nil for anything else.
package func parseDuration(_ text: String) -> Duration? {
  if text == "0" { return .zero }
  let units: [String: Duration] = [
    "ms": .milliseconds(1), "s": .seconds(1), "m": .seconds(60), "h": .seconds(3600), "d": .seconds(86_400),
    "w": .seconds(604_800),
  ]
  let number = text.prefix { $0.isASCII && $0.isNumber }
  // Twelve digits times a week stay within Duration's 64 bits of seconds.
  guard number.count <= 12, let count = PolicyScalars.digits(number),
    let unit = units[String(text.dropFirst(number.count))]
  else { return nil }
  return unit * count
}
