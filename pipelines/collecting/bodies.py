"""The bytes of a request, never more of them than allowed, however they are packed and however slowly they come."""

import zlib

import anyio
from starlette.requests import Request

from pipelines.http.refusals import RefusedError

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # told by the header


class BodyReader:
    """Reads bodies up to `max_bytes`, packed and unpacked, within `timeout_seconds`, and `max_total_bytes` of all at once."""

    def __init__(self, max_bytes: int, timeout_seconds: float, max_total_bytes: int, retry_after_seconds: int) -> None:
        self._max_bytes, self._timeout_seconds = max_bytes, timeout_seconds
        self._max_total_bytes, self._retry_after_seconds = max_total_bytes, retry_after_seconds
        self._reading_bytes = 0

    async def read(self, request: Request) -> bytes:
        """Return the body as it came. Raises RefusedError: 408 too slow, 413 too large, 503 no room."""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large()
        chunks: list[bytes] = []
        n_bytes = 0
        try:
            with anyio.fail_after(self._timeout_seconds):
                async for chunk in request.stream():
                    n_bytes += len(chunk)
                    self._reading_bytes += len(chunk)
                    self._check(n_bytes)
                    chunks.append(chunk)
        except TimeoutError as error:
            text = f"the request was not whole after {self._timeout_seconds:g} s"
            raise RefusedError(408, "slow", text) from error
        finally:
            self._reading_bytes -= n_bytes
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def unpack(self, body: bytes, encoding: str) -> bytes:
        """Return what a body of this Content-Encoding holds. Raises RefusedError: 400, 413, 415."""
        if encoding in ("", "identity"):
            return body
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise RefusedError(415, "encoding", f"Content-Encoding is '{encoding[:40]}': expected gzip, or none")
        packed = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            unpacked = packed.decompress(body, self._max_bytes + 1)
        except zlib.error as error:
            raise RefusedError(400, "encoding", f"the body is not gzip, as Content-Encoding says: {error}") from error
        if len(unpacked) > self._max_bytes:
            raise self._too_large()
        if not packed.eof:
            raise RefusedError(400, "encoding", "the gzip body is cut off")
        return unpacked

    def _check(self, n_bytes: int) -> None:
        if n_bytes > self._max_bytes:
            raise self._too_large()
        if self._reading_bytes > self._max_total_bytes:
            raise RefusedError(
                503, "busy", "too many requests are being read: send the same again", self._retry_after_seconds
            )

    def _too_large(self) -> RefusedError:
        return RefusedError(
            413, "size", f"the request has more than {self._max_bytes:,} bytes, unpacked: send less at once"
        )
