// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// Overlapping accesses are found by debug builds, in which all tests run; the checks cost a stream 10 %.
let product =
    strict + [
        .unsafeFlags(
            ["-enforce-exclusivity=unchecked", "-Xfrontend", "-function-sections"],
            .when(configuration: .release)
        )
    ]

/// A request's code lies together, which saves a tenth of its time: see hot-functions.txt, and `order` in Benchmarks.
let hotTogether: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker", "--no-warn-symbol-ordering", "-Xlinker",
            "--symbol-ordering-file=\(Context.packageDirectory)/Sources/Relay/hot-functions.txt",
        ],
        .when(configuration: .release)
    )
]

/// The library simdjson is loaded at start, or is a part of the program if `SIMDJSON` is the path of a static library
/// (`make package`): a package should work with each release of Debian, which all have another version.
let simdjson: LinkerSetting =
    Context.environment["SIMDJSON"].map { .unsafeFlags(["-Xlinker", $0]) } ?? .linkedLibrary("simdjson")

/// Of C and C++: a function whose stack was overrun ends the process, and so does a copy for which there is no room.
let hardenedC: [CSetting] = [
    .unsafeFlags(["-fstack-protector-strong"]),
    .define("_FORTIFY_SOURCE", to: "2", .when(configuration: .release)),
]
let hardenedCXX: [CXXSetting] = [
    .unsafeFlags(["-fstack-protector-strong"]),
    .define("_FORTIFY_SOURCE", to: "2", .when(configuration: .release)),
]

let package = Package(
    name: "relay",
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CCompression", providers: [.apt(["zlib1g-dev", "libzstd-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMemcached", providers: [.apt(["libmemcached-dev"])]),
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CPostgres", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "CSimdjson",
            dependencies: ["CBlocks"],
            cSettings: hardenedC,
            cxxSettings: hardenedCXX,
            linkerSettings: [simdjson]
        ),
        .target(name: "CBlocks", cSettings: hardenedC),
        .target(name: "CCrash", cSettings: hardenedC),
        .target(name: "CStamp", cSettings: hardenedC),
        .target(name: "CTokens", cSettings: hardenedC),
        .target(
            name: "CPages",
            exclude: ["Admin", "Usage", "elements.js", "style.css"],
            cSettings: hardenedC
        ),
        .target(name: "CPng", cSettings: hardenedC, linkerSettings: [.linkedLibrary("png16")]),
        .target(
            name: "Engine",
            dependencies: ["CBlocks", "CCrash", "CLinux", "CCompression", "CCurl", "CCrypto", "CSimdjson"],
            swiftSettings: product
        ),
        .target(name: "Limits", dependencies: ["Engine", "CMemcached"], swiftSettings: product),
        .target(
            name: "Shared",
            dependencies: ["Limits", "Engine", "CStamp", "CTokens"],
            swiftSettings: product
        ),
        .target(
            name: "UsageRecords",
            dependencies: ["Shared", "Limits", "Engine", "CSQLite", "CPostgres"],
            swiftSettings: product
        ),
        .target(
            name: "Upstream",
            dependencies: ["Shared", "Limits", "Engine", "CPng"],
            exclude: ["OneMin/Catalogue/models.json"],
            swiftSettings: product
        ),
        .target(
            name: "Routes",
            dependencies: ["Upstream", "UsageRecords", "Shared", "Limits", "Engine", "CPages"],
            swiftSettings: product
        ),
        .executableTarget(
            name: "relay",
            dependencies: ["Routes", "Upstream", "UsageRecords", "Shared", "Limits", "Engine"],
            path: "Sources/Relay",
            exclude: ["hot-functions.txt"],
            swiftSettings: strict,
            linkerSettings: hotTogether
        ),
        // Makes the file that the relay maps: see Scripts/tokens.
        .executableTarget(
            name: "make-tokens",
            dependencies: ["Shared", "Engine"],
            path: "Vocabularies/TokenMaker",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "count-tokens",
            dependencies: ["Shared"],
            path: "Tests/CountTokens",
            swiftSettings: product
        ),
        // Writes records until it is killed.
        .executableTarget(
            name: "write-usage",
            dependencies: ["UsageRecords", "Shared", "Engine"],
            path: "Tests/WriteUsage",
            swiftSettings: product
        ),
        .executableTarget(
            name: "decision-benchmark",
            dependencies: ["Limits"],
            path: "Tests/Decision",
            swiftSettings: product
        ),
        // A library: only the fuzzer has a `main` for it, see Scripts/fuzz.
        .target(
            name: "ChatFuzz",
            dependencies: ["Routes", "Upstream", "Shared", "Limits", "Engine"],
            path: "Tests/Fuzz/Chat",
            swiftSettings: strict
        ),
        .target(
            name: "AnswerFuzz",
            dependencies: ["Upstream", "Shared", "Engine"],
            path: "Tests/Fuzz/Answers",
            swiftSettings: strict
        ),
        .target(name: "Support", dependencies: ["Engine", "CPicture"], path: "Tests/Support", swiftSettings: strict),
        .target(
            name: "Simulation",
            dependencies: ["Limits", "Support"],
            path: "Tests/Simulation",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "simulate",
            dependencies: ["Simulation"],
            path: "Tests/Simulate",
            swiftSettings: strict
        ),
        .target(name: "Model", dependencies: ["Limits"], path: "Tests/Model", swiftSettings: strict),
        .executableTarget(
            name: "check-model",
            dependencies: ["Model"],
            path: "Tests/CheckModel",
            swiftSettings: strict
        ),
        .testTarget(
            name: "EngineTests",
            dependencies: ["Engine", "Support", "CCompression", "CCurl"],
            swiftSettings: strict,
            // Tests answer for the system's resolver, also to libcurl.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic-symbol=getaddrinfo"])]
        ),
        .target(name: "CPicture", path: "Tests/Picture", linkerSettings: [.linkedLibrary("png16")]),
        .testTarget(
            name: "LimitsTests",
            dependencies: ["Limits", "Engine", "Support", "Simulation", "Model"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SharedTests",
            dependencies: ["Upstream", "UsageRecords", "Shared", "Limits", "CLinux", "Engine", "Support", "CTokens"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "UpstreamTests",
            dependencies: ["Upstream", "Shared", "Limits", "Engine", "Support", "CPicture"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "RoutesTests",
            dependencies: ["Routes", "Upstream", "UsageRecords", "Shared", "Limits", "Engine", "Support"],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
