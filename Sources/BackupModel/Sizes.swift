/// `612 MB`: three digits and a unit, powers of 1000.
package func sizeText(_ bytes: UInt64) -> String {
  var value = Double(bytes)
  for unit in ["B", "kB", "MB", "GB", "TB"] {
    // What would round up to 1000 belongs to the next unit.
    if value < 999.5 || unit == "TB" {
      let decimals = unit == "B" || value >= 99.95 ? 0 : 1
      return "\(fixed(value, decimals)) \(unit)"
    }
    value /= 1000
  }
  return "\(bytes) B"
}

/// A number with a fixed count of decimals (0 or 1).
package func fixed(_ value: Double, _ decimals: Int) -> String {
  guard decimals > 0 else { return "\(Int(value.rounded()))" }
  let tenths = Int((value * 10).rounded())
  return "\(tenths / 10).\(abs(tenths % 10))"
}

/// `1 table`, `3 tables`.
package func counted(_ number: some BinaryInteger, _ noun: String) -> String {
  number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
}
