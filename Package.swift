// swift-tools-version: 6.2
import PackageDescription

// Arrows point down only: a target may import what stands below it, never above.
// scripts/check-layers holds the sources to exactly these lists.

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
  name: "holdfast",
  products: [.executable(name: "holdfast", targets: ["holdfast"])],
  targets: [
    // The program.
    .executableTarget(name: "holdfast", dependencies: ["Commands"], swiftSettings: strict),
    library(
      "Commands",
      [
        "Workflows", "Migrations", "PolicyFiles", "BackupRepository", "PostgresTools", "CommandSyntax", "Planning",
        "BackupModel", "Diagnostics",
      ]),

    // The stories: one file each.
    library(
      "Workflows",
      [
        "Migrations",
        "BackupRepository", "PostgresTools", "StreamPipeline", "Planning", "BackupModel", "Diagnostics",
      ]),

    // What the stories are told with.
    library("Migrations", ["PostgresTools", "StreamPipeline", "BackupModel", "Diagnostics"]),
    library("BackupRepository", ["StreamPipeline", "BackupModel", "Diagnostics", "CProcess"]),
    library("PostgresTools", ["Planning", "BackupModel", "Diagnostics", "CLibPQ", "CProcess"]),
    library("StreamPipeline", ["BackupModel", "Diagnostics", "CZstd", "CZlib", "CCrypto", "CXXHash", "CProcess"]),
    library("PolicyFiles", ["Planning", "BackupModel", "Diagnostics", "CYaml"]),
    library("CommandSyntax", ["Diagnostics"]),

    // Pure decisions and nouns.
    library("Planning", ["BackupModel", "Diagnostics"]),
    library("BackupModel", ["Diagnostics"]),
    library("Diagnostics", []),

    // Tests mirror the sources.
    .target(
      name: "TestSupport", dependencies: ["BackupRepository", "PostgresTools", "BackupModel", "Diagnostics"],
      path: "Tests/TestSupport",
      swiftSettings: strict),
    tests("CommandsTests", ["holdfast", "TestSupport", "PostgresTools", "Commands", "CommandSyntax", "Diagnostics"]),
    tests(
      "WorkflowsTests",
      ["holdfast", "TestSupport", "Workflows", "BackupRepository", "PostgresTools", "BackupModel", "Diagnostics"]),
    tests("MigrationsTests", ["holdfast", "TestSupport", "Migrations", "PostgresTools", "Diagnostics"]),
    tests(
      "BackupRepositoryTests", ["TestSupport", "BackupRepository", "StreamPipeline", "BackupModel", "Diagnostics"]),
    tests("PostgresToolsTests", ["TestSupport", "PostgresTools", "Planning", "BackupModel", "Diagnostics"]),
    tests(
      "StreamPipelineTests",
      ["TestSupport", "StreamPipeline", "PostgresTools", "Planning", "BackupModel", "Diagnostics", "CXXHash"]),
    tests("BackupModelTests", ["BackupModel"]),
    tests("CommandSyntaxTests", ["TestSupport", "CommandSyntax", "Diagnostics"]),
    tests("PlanningTests", ["Planning", "BackupModel", "Diagnostics"]),
    tests("PolicyFilesTests", ["PolicyFiles", "BackupModel", "Diagnostics"]),
    tests("DiagnosticsTests", ["Diagnostics"]),

    // C.
    .target(name: "CProcess"),
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
  ]
)
