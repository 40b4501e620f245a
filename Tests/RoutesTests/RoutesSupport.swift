import Engine

func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let buffer = ByteBuffer(text)
    return body(buffer.bytes)
}
