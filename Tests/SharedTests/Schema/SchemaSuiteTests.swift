import Engine
import Glibc
import Testing

@testable import Shared

/// Tests with the official test suite for JSON Schema, draft 2020-12, which `Scripts/setup-schemas` downloads.
@Suite struct SchemaSuiteTests {
    static let folder = ".build/json-schema-suite/tests/draft2020-12/"

    /// The files that are not run, because their subject is out of scope.
    static let outOfScope: [String: String] = [
        "dynamicRef.json": "$dynamicRef is refused",
        "refRemote.json": "nothing is fetched",
        "vocabulary.json": "no metaschema is read",
        "optional/bignum.json": "numbers are 64 bits",
        "optional/cross-draft.json": "other drafts",
        "optional/dependencies-compatibility.json": "a keyword of older drafts",
        "optional/float-overflow.json": "numbers are 64 bits",
        "optional/no-schema.json": "other drafts",
        "optional/format-assertion.json": "no metaschema is read",
        "optional/unicode.json": "empty",
        "optional/format/idn-email.json": "not checked",
        "optional/format/idn-hostname.json": "not checked",
        "optional/format/iri-reference.json": "not checked",
        "optional/format/iri.json": "not checked",
        "optional/format/json-pointer.json": "not checked",
        "optional/format/regex.json": "not checked",
        "optional/format/relative-json-pointer.json": "not checked",
        "optional/format/uri-reference.json": "not checked",
        "optional/format/uri-template.json": "not checked",
        "optional/format/unknown.json": "not checked",
    ]

    /// The groups whose schemas are refused. All others must match the suite.
    static let excused: Set<String> = [
        // These refer to the metaschema, which is not available.
        "anchor.json: invalid anchors",
        "defs.json: validate definition against metaschema",
        "id.json: Invalid use of fragments in location-independent $id",
        "id.json: Valid use of empty fragments in location-independent $id",
        "id.json: Unnormalized $ids are allowed but discouraged",
        "optional/ecmascript-regex.json: \\a is not an ECMA 262 control escape",
        "ref.json: remote ref, containing refs itself",
        "ref.json: URN base URI with f-component",
    ]

    static func files() -> [String] {
        var found: [String] = []
        for part in ["", "optional/", "optional/format/"] {
            guard let listing = opendir(folder + part) else { continue }
            while let entry = readdir(listing) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name.hasSuffix(".json") { found.append(part + name) }
            }
            closedir(listing)
        }
        return found.sorted()
    }

    @Test("the suite is there") func isThere() {
        #expect(Self.files().count > 60, "run Scripts/setup-schemas")
        for name in Self.outOfScope.keys { #expect(Self.files().contains(name), "\(name)") }
    }

    @Test("the suite's documents fit or do not fit, as it says", arguments: files().filter { outOfScope[$0] == nil })
    func suite(name: String) throws {
        let text = try readFile(Self.folder + name)
        let (cases, documents) = (JSONParser(), JSONParser())
        let groups = try cases.parse(text.bytes)
        for group in try #require(groups.elements) {
            let title = "\(name): \(group["description"]?.string ?? "")"
            if Self.excused.contains(title) { continue }
            let written = try #require(group.members?.first { $0.name.equals("schema") }?.value)
            let schema: JSONSchema
            do throws(SchemaError) {
                schema = try JSONSchema(written)
            } catch {
                Issue.record("\(title): \(error.text)")
                continue
            }
            for example in try #require(group["tests"]?.elements) {
                // The value is copied into a document of its own, as in the relay.
                let value = try #require(example.members?.first { $0.name.equals("data") }?.value)
                var copy = ByteBuffer()
                #expect(CanonicalValue.append(value, to: &copy))
                let document = try documents.parse(copy.bytes)
                let validation = schema.validation(
                    on: document,
                    bytes: copy.count,
                    checksFormats: name.hasPrefix("optional/format/")
                )
                #expect(!validation.isUndecided)
                #expect(
                    validation.fits == example["valid"]?.flag,
                    "\(title): \(example["description"]?.string ?? "") \(validation.text)"
                )
                #expect(validation.fits == validation.problems.isEmpty)
            }
        }
    }
}

func readFile(_ path: String) throws -> ByteBuffer {
    let file = try #require(fopen(path, "r"), "\(path)")
    defer { fclose(file) }
    var buffer = ByteBuffer()
    while case let count = fread(buffer.reserve(65_536), 1, 65_536, file), count > 0 { buffer.wrote(count) }
    return buffer
}
