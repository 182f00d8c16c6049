"""What the adapters to OpenAI-compatible servers share: settings, HTTP, server-sent events, failures, context.

The adapters themselves stand with their kind: `llm`, `stt`, `tts`. Nothing here makes a request unless an adapter is
asked for an answer, or `detection.probe` is called.
"""
