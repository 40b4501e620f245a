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

    /// Returns the files of this page, and whether more files follow.
    func cut(_ files: [FileStore.Listed]) -> (shown: [FileStore.Listed], hasMore: Bool) {
        var sorted = files.enumerated()
            .sorted { ($1.element.file.createdAt, $0.offset) < ($0.element.file.createdAt, $1.offset) }
            .map(\.element)
        if isAscending { sorted.reverse() }
        var rest = sorted[...]
        if let after {
            if let index = rest.firstIndex(where: { $0.id == after.id }) {
                rest = rest[(index + 1)...]
            } else {
                // The file was deleted in the meantime: its creation time shows where the page begins.
                let time = after.file.createdAt
                rest = rest.drop { isAscending ? $0.file.createdAt <= time : $0.file.createdAt >= time }
            }
        }
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
