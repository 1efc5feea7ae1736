"""Reading of a request's body within a bound."""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body; the connection bounds the time.

    Raises:
        HTTPException: 413 for a longer one, also a chunked one, whatever its Content-Length says; 400 for one that
            ends before its end.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise HTTPException(413, f"Body larger than {most_bytes} bytes")
    except ClientDisconnect as error:
        raise HTTPException(400, "The body is incomplete") from error
    return bytes(body)
