import CSQLite
import Shared

enum SQLiteKeywords {
    /// Adds the SQL function `FilterSQL.keywordsFunction` to a connection. Returns SQLite's result code.
    static func add(to handle: OpaquePointer) -> Int32 {
        sqlite3_create_function_v2(
            handle,
            FilterSQL.keywordsFunction,
            -1,
            SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
            nil,
            hasKeywords,
            nil,
            nil,
            nil
        )
    }
}

private func hasKeywords(_ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?) {
    func text(_ index: Int) -> UnsafeRawBufferPointer? {
        guard let value = values?[index], let bytes = sqlite3_value_text(value) else { return nil }
        return UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_value_bytes(value)))
    }
    var isFound = false
    if count > 0, let keywords = text(0) {
        for index in 1..<max(1, Int(count)) where !isFound {
            if let text = text(index) { isFound = KeywordSearch.finds(keywords, in: text) }
        }
    }
    sqlite3_result_int(context, isFound ? 1 : 0)
}
