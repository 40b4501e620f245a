import Calls
import Engine
import Shared

func generation(_ content: RequestContent) async throws(APIError) -> ImageOperation.Order {
    try await content.json { (root) throws(APIError) in
        let call = try ImageCall(generation: root)
        return ImageOperation.Order(call: call, fields: try ForwardedFields(root, .imageGenerations), features: .image)
    }
}
