"""What every request passes, outermost first. Pure ASGI: the body is counted here, never read.

1. `raw_path`      the path as it was sent becomes the path that is routed
2. `closing`       while the process drains, each answer ends its connection
3. `request_id`    taken or made; the facts of the request begin
4. `tracing`       the span of the request; only where EDGE_TRACING_URL is set
5. `access_log`    one line and the metrics, whatever happened inside
6. `unread_body`   an answer before the end of the body is sent first, the rest drained
7. `problems`      exceptions become problem+json
8. `deadline`      X-Request-Timeout; 504 when it passes
9. `keys`          who calls: 401 before a byte of the body is read
10. (here come JWT and rate limits: who calls is known, nothing was paid for yet)
11. `in_flight`    429 when too many are at work; a body that still comes is not work
12. `body_limits`  413 by Content-Length, or as the bytes are counted

What a caller may do is decided in the routes, once the form is known.
"""
