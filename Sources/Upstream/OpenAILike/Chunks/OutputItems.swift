import Engine

/// The output items that a stream of the Responses API has begun. Events find their item here, although some servers
/// send no `output_index`, or 0 for all items.
struct OutputItems {
    private struct Item {
        let number: Int64
        let ids: [[UInt8]]
        let isCall: Bool
        var isClosed = false
    }

    private var items: [Item] = []
    /// Whether several items have the same `output_index`, or an item has none.
    private var isLoose = false

    var count: Int { items.count }

    private static let firstOwnNumber: Int64 = 1 << 32

    /// Returns the number of the item to which an event belongs, by the index, the item's id, or the last item.
    func number(of event: JSONValue) -> Int64 {
        let index = event["output_index"]?.integer
        if !isLoose, let index { return index }
        return number(of: event["item_id"]) ?? items.last?.number ?? index ?? 0
    }

    /// Returns the number of an item that begins.
    mutating func open(_ item: JSONValue, _ event: JSONValue) -> Int64 {
        let index = event["output_index"]?.integer
        if let known = number(of: item["id"]), index == nil || index == known || isLoose { return known }
        let isNew = index.map { index in !items.contains { $0.number == index } } ?? false
        if !isNew { isLoose = true }
        return add(item, isNew ? index : nil)
    }

    /// Returns the number of an item that is complete.
    mutating func close(_ item: JSONValue, _ event: JSONValue) -> Int64 {
        if !isLoose, let index = event["output_index"]?.integer { return index }
        let isCall = item["type"]?.text == "function_call"
        let last = items.last { $0.isCall == isCall && !$0.isClosed }?.number
        let number = number(of: item["id"]) ?? number(of: item["call_id"]) ?? last ?? add(item, nil)
        for index in items.indices where items[index].number == number { items[index].isClosed = true }
        return number
    }

    private func number(of id: JSONValue?) -> Int64? {
        guard let id = id?.text, !id.isEmpty else { return nil }
        return items.last { $0.ids.contains { $0.elementsEqual(id) } }?.number
    }

    private mutating func add(_ item: JSONValue, _ index: Int64?) -> Int64 {
        let number = index ?? Self.firstOwnNumber + Int64(items.count)
        let ids = [item["id"], item["call_id"]].compactMap { $0?.text.map { Array($0) } }
        items.append(Item(number: number, ids: ids, isCall: item["type"]?.text == "function_call"))
        return number
    }
}
