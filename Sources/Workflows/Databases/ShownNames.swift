import BackupModel
import Diagnostics
import PostgresTools

extension Manifest {
  /// How names of this backup are typed and shown.
  package var nameEncoding: NameEncoding {
    let properties = source.properties.withoutSettings
    return NameEncoding(ofDump: properties.dumpEncoding.isEmpty ? nil : properties.encoding)
  }

  /// The tables' names, as they are typed.
  package var tableNames: [String] {
    let encoding = nameEncoding
    return digests.tables.map { encoding.shown($0.qualifiedName) }
  }
}

extension Failure {
  /// With names of a dump as they are typed.
  func shown(by encoding: NameEncoding) -> Failure {
    var failure = self
    failure.what = encoding.shown(what)
    failure.why = encoding.shown(why)
    failure.nextStep = encoding.shown(nextStep)
    return failure
  }
}
