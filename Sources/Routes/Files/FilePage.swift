import Engine
import Shared
import Upstream

/// The part of a caller's list of files that a request asks for.
struct FilePage {
    private let limit: Int
    private let isAscending: Bool
    /// The file that precedes this page in the list; nil for the first page.
    private let after: FileStore.Listed?
    private let purpose: String?

    private static let maxFiles = 10_000

    init(_ query: FormFields, of owner: FileOwner) throws(APIError) {
        limit = try query.integer("limit", 1...Self.maxFiles) ?? Self.maxFiles
        isAscending = try query.choice("order", ["asc", "desc"]) == "asc"
        purpose = try query.string("purpose")
        after = try query.string("after").map { (id) throws(APIError) in
            guard let found = owner.open(id) else { throw .value("after", "no file with this id exists") }
            return found
        }
    }

    private static func isOlder(_ one: FileStore.Listed, than other: FileStore.Listed) -> Bool {
        let (file, next) = (one.file, other.file)
        guard (file.createdAt, file.createdMicroseconds) == (next.createdAt, next.createdMicroseconds) else {
            return (file.createdAt, file.createdMicroseconds) < (next.createdAt, next.createdMicroseconds)
        }
        return one.id.text < other.id.text
    }

    /// Returns the files of this page, and whether more files follow.
    func cut(_ files: [FileStore.Listed]) -> (shown: [FileStore.Listed], hasMore: Bool) {
        let precedes: (FileStore.Listed, FileStore.Listed) -> Bool = { [isAscending] in
            isAscending ? FilePage.isOlder($0, than: $1) : FilePage.isOlder($1, than: $0)
        }
        var rest = files.sorted(by: precedes)[...]
        // The file may have been deleted in the meantime.
        if let after { rest = rest.drop { !precedes(after, $0) } }
        if let purpose { rest = ArraySlice(rest.filter { purpose.isSame(as: $0.file.purpose.name) }) }
        return (Array(rest.prefix(limit)), rest.count > limit)
    }
}

/// Returns a file as JSON, in the form of OpenAI's `OpenAIFile`.
func fileObject(_ id: FileID, _ file: StoredFile) -> JSONFragment {
    #"""
    {"id":\#(id.text),"object":"file","bytes":\#(file.bytes),"created_at":\#(file.createdAt)\#
    \#(member: "expires_at", file.expiresAt),"filename":\#(file.name),"purpose":\#("\(file.purpose.name)"),\#
    "status":"processed"}
    """#
}
