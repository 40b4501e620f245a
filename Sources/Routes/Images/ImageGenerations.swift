import Calls
import Engine
import Limits
import Shared
import Upstream

/// Handles POST /v1/images/generations: makes images from a prompt.
func imageGenerations(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.images)
    let content = RequestContent(exchange)
    let operation = ImageOperation(exchange, caller) { () async throws(APIError) in
        try await content.json { (root) throws(APIError) in
            ImageOperation.Order(
                call: try ImageCall(generation: root),
                fields: try ForwardedFields(root, .imageGenerations, isDigested: false),
                features: .image
            )
        }
    }
    try await exchange.serve(.imageGenerations, content, for: caller, operation)
}
