"""JSON that can always be written."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse

from recorder.model.checks import cleaned


class CleanJson(JSONResponse):
    """JSON that can always be written: one odd value that is stored already spoils no list."""

    def render(self, content: object) -> bytes:
        """Write the body."""
        try:
            return super().render(content)
        except ValueError:  # NaN, or half a surrogate pair
            return json.dumps(cleaned(content), ensure_ascii=False, allow_nan=False).encode()
